//! The engine as a whole: attacks, what looks like them, and the engine's own promises.

mod account_enumeration;
mod asrep_roasting;
mod brute_force;
mod certificates;
mod dcsync;
mod delegation;
mod engine;
mod enumeration;
mod exposure;
mod floods;
mod forged;
mod honeytokens;
mod kerberoasting;
mod managed_accounts;
mod netlogon;
mod opened;
mod overpass;
mod pass_the_hash;
mod pass_the_ticket;
mod policy;
mod properties;
mod relay;
mod restart;
mod timeroasting;

use goshawk_model::inventory::SightingSource;
use goshawk_model::rpc::drsuapi::DRS_GET_NC_CHANGES;
use goshawk_model::{Activity, Alert, Outcome};

use crate::build::{AES, FULL, Net, RC4, issued, kerberos, sealed, tgt, ticket};
use crate::{Engine, Input, Output, Settings};

/// The attacker's machine.
const THIEF: &str = "10.0.0.9";

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

/// What is left at the end, without exposure: that is a state and no attack, true of many of the
/// worlds that tests make, and has tests of its own.
fn verdict(settings: Settings, activities: impl IntoIterator<Item = Activity>) -> Vec<Alert> {
    let attack = |alert: &Alert| !(9030..9040).contains(&alert.external_id);
    let alerts = everything(settings, activities);
    alerts.into_iter().filter(attack).collect()
}

/// What is left at the end: every alert in its final state.
fn everything(settings: Settings, activities: impl IntoIterator<Item = Activity>) -> Vec<Alert> {
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

/// A call that only controllers should make.
fn replicate(net: &Net, from: &str) -> Activity {
    net.drs(from, DRS_GET_NC_CHANGES, None, Outcome::Success)
}

/// All five attacks among ordinary life, with silences between.
fn eventful_day() -> Vec<Activity> {
    let net = Net::default();
    let mut day = vec![net.logon("alice", "10.0.0.7", "alices")];
    day.extend((0..7).map(|n| net.pass(200).refused(&format!("guess{n}"), THIEF, 6)));
    day.push(net.pass(200).refused("svc_old", THIEF, 25));
    day.push(
        net.pass(200)
            .unproved("svc_old", THIEF, &[18, 17], issued(tgt("old"), AES)),
    );
    day.push(
        net.pass(200)
            .unproved("alice", "10.0.0.7", FULL, issued(tgt("unused"), AES)),
    );
    day.extend((0..6).map(|n| net.pass(20_000).refused(&format!("user{n}"), THIEF, 24)));
    day.push(net.pass(200).logon("user3", THIEF, "stolen"));
    for n in 0..4 {
        let service = format!("MSSQLSvc/db{n}");
        let answer = issued(sealed(&service, &service, RC4), AES);
        net.pass(500);
        day.push(net.tgs((THIEF, "stolen"), &service, (2, FULL), None, answer));
    }
    net.pass(3_600_000);
    day.push(net.service("user3", THIEF, "stolen", "ldap/dc1", "st"));
    day.push(net.sighting("10.0.0.1", "dc1", SightingSource::ServiceTicket));
    for _ in 0..3 {
        net.pass(45_000);
        let auth = kerberos(ticket("ldap/dc1", "st"));
        day.push(net.drs(THIEF, DRS_GET_NC_CHANGES, auth, Outcome::Success));
    }
    day
}

/// Everything an engine says to `inputs`.
fn run(engine: &mut Engine, inputs: impl IntoIterator<Item = Input>) -> Vec<Output> {
    inputs
        .into_iter()
        .flat_map(|input| engine.observe(input))
        .collect()
}
