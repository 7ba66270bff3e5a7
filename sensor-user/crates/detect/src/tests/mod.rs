//! The engine as a whole: attacks, what looks like them, and the engine's own promises.

mod account_enumeration;
mod asrep_roasting;
mod brute_force;
mod dcsync;
mod engine;
mod kerberoasting;

use goshawk_model::{Activity, Alert};

use crate::{Engine, Input, Output, Settings};

/// An alert as the console gets it.
fn golden(alert: &Alert) -> String {
    serde_json::to_string_pretty(alert).expect("an alert is JSON")
}

/// The one alert there must be.
fn one(alerts: Vec<Alert>) -> Alert {
    let [alert] = <[Alert; 1]>::try_from(alerts).expect("one alert");
    alert
}

/// Those of one detection.
fn of(external_id: u16, alerts: Vec<Alert>) -> Vec<Alert> {
    let wanted = |alert: &Alert| alert.external_id == external_id;
    alerts.into_iter().filter(wanted).collect()
}

/// What is left at the end: every alert in its final state.
fn verdict(settings: Settings, activities: impl IntoIterator<Item = Activity>) -> Vec<Alert> {
    let mut engine = Engine::new(settings);
    let mut last = std::collections::BTreeMap::new();
    let mut keep = |outputs: Vec<Output>| {
        for output in outputs {
            let alert = output.alert().clone();
            if let Some(before) = last.insert(alert.id, alert.clone()) {
                let before: Alert = before;
                assert!(alert.revision >= before.revision, "revisions never fall");
            }
        }
    };
    for activity in activities {
        keep(engine.observe(Input::Activity(activity)));
    }
    keep(engine.finish());
    let mut alerts: Vec<_> = last.into_values().collect();
    alerts.sort_by_key(|alert| (alert.start, alert.external_id, alert.id));
    alerts
}
