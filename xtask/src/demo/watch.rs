//! The terminal's side of the demo: alerts as the sensor raises them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use goshawk_tests::Sensor;
use serde_json::Value;

use super::signals::Interrupt;

/// Prints alerts as they come, and remembers them.
pub(super) struct Watch(Arc<Mutex<BTreeMap<String, u16>>>);

/// How often the sensor's alerts are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

impl Watch {
    /// Watches the alerts of `sensor`.
    pub(super) fn start(sensor: &Sensor, colour: bool) -> Result<Self> {
        let seen: Arc<Mutex<BTreeMap<String, u16>>> = Arc::default();
        let (sensor, shared) = (sensor.clone(), Arc::clone(&seen));
        thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || {
                loop {
                    // Between two looks the spool may be busy; the next look finds what this one missed.
                    for alert in sensor.alerts().unwrap_or_default() {
                        let id = alert["id"].as_str().unwrap_or_default().to_owned();
                        let number = alert["externalId"].as_u64().unwrap_or_default();
                        let number = u16::try_from(number).unwrap_or_default();
                        let mut seen = shared.lock().unwrap_or_else(PoisonError::into_inner);
                        if seen.insert(id, number).is_none() {
                            println!("{}", text(&alert, colour));
                        }
                    }
                    thread::sleep(LOOK_EVERY);
                }
            })?;
        Ok(Self(seen))
    }

    /// The kinds of alerts seen so far.
    pub(super) fn seen(&self) -> Vec<u16> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .copied()
            .collect()
    }

    /// Whether an alert of this kind is seen by the time `within` is over.
    pub(super) fn has_seen(&self, number: u16, within: Duration, interrupt: &Interrupt) -> bool {
        let deadline = Instant::now() + within;
        while Instant::now() < deadline && !interrupt.came() {
            if self.seen().contains(&number) {
                return true;
            }
            thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

fn text(alert: &Value, colour: bool) -> String {
    let word = |field: &str| alert[field].as_str().unwrap_or_default().to_owned();
    let severity = word("severity");
    let (on, dim, off) = match (colour, severity.as_str()) {
        (false, _) => ("", "", ""),
        (true, "high") => ("\x1b[1;31m", "\x1b[2m", "\x1b[0m"),
        (true, _) => ("\x1b[1;33m", "\x1b[2m", "\x1b[0m"),
    };
    format!(
        "  {on}{:<6}{off} {} [{}]\n         {}\n         {dim}{}{off}",
        severity.to_uppercase(),
        word("title"),
        alert["externalId"],
        word("summary"),
        alert["evidence"][0]["detail"].as_str().unwrap_or_default(),
    )
}
