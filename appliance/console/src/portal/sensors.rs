//! The sensors and how they are doing.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::Portal;
use super::page::{Failure, Frame, Moment, grouped, html};
use super::session::SignedIn;
use crate::clock;
use crate::store::sensors::{self, Sensor};

#[derive(Template)]
#[template(path = "sensors.html")]
struct SensorsPage {
    frame: Frame,
    sensors: Vec<SensorView>,
    automatic: bool,
}

struct SensorView {
    name: String,
    state: &'static str,
    mark: &'static str,
    problems: Vec<String>,
    last_seen: Option<Moment>,
    address: String,
    build: String,
    mode: String,
    clock: String,
    enrolled: Moment,
    certificate_expires: Moment,
    revoked: Option<Moment>,
    health: Option<HealthView>,
}

struct HealthView {
    started: Moment,
    attachments: Vec<String>,
    packets: String,
    activities: String,
    alerts: String,
    spooled: String,
    messages: Vec<(String, String)>,
    drops: Vec<(String, String)>,
    learning: Vec<(String, Moment)>,
}

/// `GET /sensors`
pub(super) async fn show(
    State(portal): State<Portal>,
    SignedIn(session): SignedIn,
) -> Result<Response, Failure> {
    let sensors = portal
        .0
        .store
        .read(|c| sensors::list(c, clock::now()))
        .await?;
    Ok(html(&SensorsPage {
        frame: Frame::new(&session, "sensors"),
        automatic: !sensors.is_empty(),
        sensors: sensors.into_iter().map(SensorView::from).collect(),
    }))
}

impl From<Sensor> for SensorView {
    fn from(sensor: Sensor) -> Self {
        let (state, mark) = if sensor.revoked.is_some() {
            ("revoked", "off")
        } else if !sensor.connected {
            ("not connected", "bad")
        } else if sensor.problems.is_empty() {
            ("well", "good")
        } else {
            ("needs a look", "warn")
        };
        Self {
            state,
            mark,
            clock: clock_words(sensor.clock_offset),
            problems: sensor.problems,
            last_seen: sensor.last_seen.map(Moment::from),
            address: sensor.address.unwrap_or_default(),
            build: sensor.build.unwrap_or_default(),
            mode: sensor.mode.unwrap_or_default(),
            enrolled: sensor.enrolled.into(),
            certificate_expires: sensor.certificate_expires.into(),
            revoked: sensor.revoked.map(Moment::from),
            name: sensor.name,
            health: sensor.health.map(|health| HealthView {
                started: health.started.into(),
                attachments: health.capture.attachments,
                packets: grouped(health.packets),
                activities: grouped(health.activities),
                alerts: grouped(health.alerts),
                spooled: grouped(health.spooled),
                messages: counts(health.messages),
                drops: counts(health.drops),
                learning: health
                    .learning
                    .into_iter()
                    .map(|(what, until)| (what, until.into()))
                    .collect(),
            }),
        }
    }
}

fn counts(counts: std::collections::BTreeMap<String, u64>) -> Vec<(String, String)> {
    counts
        .into_iter()
        .map(|(name, count)| (name, grouped(count)))
        .collect()
}

/// A clock's difference in words; below a second it is the network's.
fn clock_words(offset: i64) -> String {
    let off = std::time::Duration::from_nanos(offset.unsigned_abs());
    if off.as_secs() == 0 {
        "agrees with the console's".into()
    } else {
        format!(
            "{} {}",
            clock::readable(off),
            if offset > 0 { "ahead" } else { "behind" }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_put_in_words() {
        for (offset, words) in [
            (900_000_000, "agrees with the console's"),
            (-2_000_000_000, "2 s behind"),
            (3_600_000_000_000, "1 h ahead"),
        ] {
            assert_eq!(clock_words(offset), words);
        }
    }
}
