//! A day of ordinary life: everybody comes to work, administrators do their work, people mistype,
//! machines join, controllers replicate; and nobody is accused of anything. Nor when the sensor is
//! restarted in the middle, loses packets, does not see one of the controllers, or its clock is set.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use goshawk_detect::{Engine, Input, Learning, Output, Settings};
use goshawk_lab::{DC1, DC2, day};
use goshawk_model::{Activity, Alert, Coverage, Gap, GapReason, Severity, Timestamp};
use goshawk_tests::{Replayed, replay_with};
use serde_json::Value;

const PACKETS: usize = 200_000;
const CONTROLLERS: [Ipv4Addr; 2] = [DC1, DC2];

/// A day, and what a sensor saw in it that had learned nothing before.
struct Day {
    _folder: tempfile::TempDir,
    file: PathBuf,
    packets: usize,
    seen: Replayed,
}

static DAY: LazyLock<Day> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("day.pcap");
    let packets = day::compose(PACKETS, &file).expect("the day is composed");
    let seen = replay_with(&[&file], &CONTROLLERS, "", &["--activities", "--stats"]);
    Day {
        _folder: folder,
        file,
        packets,
        seen,
    }
});

#[test]
fn a_day_of_ordinary_life_accuses_nobody() {
    assert!(DAY.packets >= PACKETS);
    let learning = "[learning]\nenabled = true\n";
    let learned = replay_with(&[&DAY.file], &CONTROLLERS, learning, &[]);
    assert_eq!(accusations(&learned.alerts), Vec::<String>::new());

    let high = DAY
        .seen
        .alerts
        .iter()
        .filter(|one| one["severity"] == "high");
    let high: Vec<String> = high.map(in_words).collect();
    assert_eq!(high, Vec::<String>::new(), "without learning");
}

#[test]
fn it_is_a_day_of_many_people_and_machines() {
    let activities = &DAY.seen.activities;
    let clients: BTreeSet<IpAddr> = activities.iter().map(|one| one.client.ip).collect();
    let people: BTreeSet<&str> = activities
        .iter()
        .filter_map(|one| one.actor.as_ref())
        .map(|actor| actor.account.name())
        .collect();
    assert!(clients.len() > 30, "{} machines", clients.len());
    assert!(people.len() > 200, "{} accounts", people.len());
}

/// Exposure is told once for each account and machine, and not each time.
#[test]
fn what_is_exposed_is_told_once() {
    let mut told = BTreeSet::new();
    for alert in DAY.seen.alerts.iter().filter(|one| is_exposure(one)) {
        let key = (
            alert["externalId"].to_string(),
            alert["source"].to_string(),
            alert["targets"].to_string(),
        );
        assert!(told.insert(key), "{}", in_words(alert));
    }
    assert!(
        !told.is_empty(),
        "some of the recordings are of old clients"
    );
}

#[test]
fn a_restart_with_an_hour_lost_accuses_nobody() {
    let (before, after) = halves(Duration::from_secs(1_800));
    let mut engine = engine();
    let mut alerts = feed(&mut engine, &before);
    let snapshot = engine.snapshot();
    let mut again = self::engine();
    again.restore(&snapshot).expect("the snapshot reads");
    let gap = Gap {
        from: before.last().expect("some").time,
        to: after.first().expect("some").time,
        reason: GapReason::Stopped,
    };
    again.observe(Input::Gap(gap));
    alerts.extend(feed(&mut again, &after));
    alerts.extend(finals(again.finish()));
    assert_eq!(high(&alerts), Vec::<&str>::new());
}

#[test]
fn a_restart_that_forgets_everything_accuses_nobody() {
    let (_, after) = halves(Duration::ZERO);
    let mut engine = engine();
    let mut alerts = feed(&mut engine, &after);
    alerts.extend(finals(engine.finish()));
    assert_eq!(high(&alerts), Vec::<&str>::new());
}

#[test]
fn packets_lost_accuse_nobody() {
    let all = &DAY.seen.activities;
    let mut engine = engine();
    let mut alerts = Vec::new();
    for (number, part) in all.chunks(5_000).enumerate() {
        let (Some(first), Some(last)) = (part.first(), part.last()) else {
            continue;
        };
        // In every other stretch a third is lost, and the sensor says so.
        let lossy = number % 2 == 1;
        let kept = part.iter().enumerate();
        let kept = kept.filter(|(place, _)| !lossy || place % 3 != 0);
        let kept: Vec<Activity> = kept.map(|(_, one)| one.clone()).collect();
        alerts.extend(feed(&mut engine, &kept));
        if lossy {
            engine.observe(Input::Gap(Gap {
                from: first.time,
                to: last.time,
                reason: GapReason::Lost,
            }));
        }
    }
    alerts.extend(finals(engine.finish()));
    assert_eq!(high(&alerts), Vec::<&str>::new());
}

#[test]
fn a_controller_that_is_not_watched_accuses_nobody() {
    let hidden = IpAddr::V4(DC2);
    let seen: Vec<Activity> = DAY
        .seen
        .activities
        .iter()
        .filter(|one| one.server.ip != hidden && one.client.ip != hidden)
        .cloned()
        .collect();
    let mut engine = Engine::new(settings());
    engine.observe(Input::Coverage(covered(DC1, &seen)));
    let mut alerts = feed(&mut engine, &seen);
    alerts.extend(finals(engine.finish()));
    assert_eq!(high(&alerts), Vec::<&str>::new());
}

#[test]
fn a_clock_that_is_set_accuses_nobody() {
    for (forward, step) in [(true, 7_200), (false, 1_200)] {
        let step = Duration::from_secs(step);
        let (before, mut after) = halves(Duration::ZERO);
        let from = before.last().expect("some").time;
        for activity in &mut after {
            activity.time = if forward {
                activity.time + step
            } else {
                activity.time - step
            };
        }
        let to = after.first().expect("some").time;
        let mut engine = engine();
        let mut alerts = feed(&mut engine, &before);
        engine.observe(Input::Gap(Gap {
            from: from.min(to),
            to: from.max(to),
            reason: GapReason::ClockStep,
        }));
        alerts.extend(feed(&mut engine, &after));
        alerts.extend(finals(engine.finish()));
        assert_eq!(high(&alerts), Vec::<&str>::new(), "forward: {forward}");
    }
}

fn settings() -> Settings {
    Settings {
        controllers: CONTROLLERS.map(IpAddr::V4).to_vec(),
        learning: Learning { enabled: false },
        ..Settings::default()
    }
}

/// An engine that is told that it sees both controllers from the day's beginning.
fn engine() -> Engine {
    let mut engine = Engine::new(settings());
    for controller in CONTROLLERS {
        let coverage = covered(controller, &DAY.seen.activities);
        engine.observe(Input::Coverage(coverage));
    }
    engine
}

fn covered(controller: Ipv4Addr, activities: &[Activity]) -> Coverage {
    Coverage {
        controller: controller.into(),
        from: activities
            .first()
            .map_or(Timestamp::from_parts(0, 0), |one| one.time),
    }
}

/// The day's activities before its middle, and those after it and after `lost`.
fn halves(lost: Duration) -> (Vec<Activity>, Vec<Activity>) {
    let all = &DAY.seen.activities;
    let middle = all[all.len() / 2].time;
    let before = all.iter().filter(|one| one.time <= middle);
    let after = all.iter().filter(|one| one.time > middle + lost);
    (before.cloned().collect(), after.cloned().collect())
}

fn feed(engine: &mut Engine, activities: &[Activity]) -> Vec<Alert> {
    let inputs = activities.iter().cloned().map(Input::Activity);
    inputs
        .flat_map(|input| finals(engine.observe(input)))
        .collect()
}

fn finals(outputs: Vec<Output>) -> impl Iterator<Item = Alert> {
    outputs.into_iter().map(|output| match output {
        Output::Raised(alert) | Output::Updated(alert) | Output::Closed(alert) => alert,
    })
}

fn high(alerts: &[Alert]) -> Vec<&str> {
    let high = alerts.iter().filter(|one| one.severity == Severity::High);
    high.map(|one| one.summary.as_str()).collect()
}

/// Alerts that are more than exposure, which the recordings of old clients really hold.
fn accusations(alerts: &[Value]) -> Vec<String> {
    let attacks = alerts.iter().filter(|alert| !is_exposure(alert));
    attacks.map(in_words).collect()
}

fn is_exposure(alert: &Value) -> bool {
    let number = alert["externalId"].as_u64();
    number.is_some_and(|number| (9_030..9_040).contains(&number))
}

fn in_words(alert: &Value) -> String {
    format!("{} {}", alert["externalId"], alert["summary"])
}
