//! The engine's own promises: time, campaigns, exclusions, settings.

use std::collections::BTreeSet;

use goshawk_model::{Account, Alert, Kind, Timestamp};

use super::{THIEF, eventful_day, everything, golden, of, one, replicate, run, verdict};
use crate::build::{Net, at, ip};
use crate::{Engine, Exclusion, Input, Output, Settings};

/// The last word on every alert.
fn finals(outputs: &[Output]) -> Vec<Alert> {
    let mut seen = BTreeSet::new();
    let mut alerts: Vec<_> = outputs
        .iter()
        .rev()
        .map(|output| output.alert().clone())
        .filter(|alert| seen.insert(alert.id))
        .collect();
    alerts.sort_by_key(|alert| (alert.start, alert.external_id, alert.id));
    alerts
}

#[test]
fn every_attack_of_an_eventful_day_is_one_alert() {
    let alerts = verdict(Settings::default(), eventful_day());
    let told: Vec<_> = alerts
        .iter()
        .map(|alert| {
            let line = format!(
                "{} r{} {}",
                alert.external_id, alert.revision, alert.summary
            );
            format!(
                "{line}\n    {:?} {:?}\n    {}\n",
                alert.severity, alert.confidence, alert.reason
            )
        })
        .collect();
    insta::assert_snapshot!(told.concat());
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let alerts = || -> Vec<_> {
        let alerts = verdict(Settings::default(), eventful_day());
        alerts.iter().map(golden).collect()
    };
    assert_eq!(alerts(), alerts());
}

#[test]
fn ticks_close_in_silence_what_finish_closes_at_the_end() {
    let mut ticked = Engine::new(Settings::default());
    let day = eventful_day();
    let end = day.last().expect("some").time;
    let mut outputs = run(&mut ticked, day.into_iter().map(Input::Activity));
    let silence = (0..40).map(|n| Input::Tick(end + std::time::Duration::from_secs(60 * n)));
    outputs.extend(run(&mut ticked, silence));
    assert_eq!(ticked.finish(), [], "everything is closed");
    let closed = outputs
        .iter()
        .filter(|output| matches!(output, Output::Closed(_)))
        .count();
    assert_eq!(
        closed, 5,
        "five attacks; old ciphers were shown by the attacker alone"
    );
    let same = |alerts: Vec<Alert>| -> Vec<_> {
        alerts
            .into_iter()
            .map(|alert| (alert.id, alert.count, alert.summary))
            .collect()
    };
    assert_eq!(
        same(finals(&outputs)),
        same(everything(Settings::default(), eventful_day()))
    );
}

#[test]
fn updates_come_once_a_minute_and_closing_only_counts_with_news() {
    let net = Net::default();
    let mut engine = Engine::new(Settings::default());
    let calls: Vec<_> = (0..180)
        .map(|_| Input::Activity(replicate(net.pass(1_000), THIEF)))
        .collect();
    let outputs = run(&mut engine, calls);
    let told: Vec<_> = outputs
        .iter()
        .map(|output| (output.alert().revision, output.alert().count))
        .collect();
    assert_eq!(told, [(1, 1), (2, 60), (3, 120)]);
    let [Output::Closed(last)] = &*engine.finish() else {
        panic!("one campaign");
    };
    assert_eq!((last.revision, last.count), (4, 180));

    let mut engine = Engine::new(Settings::default());
    engine.observe(Input::Activity(replicate(&net, THIEF)));
    assert_eq!(engine.finish()[0].alert().revision, 1, "nothing new");
}

#[test]
fn one_absurd_stamp_expires_nothing() {
    let net = Net::default();
    let mut tries: Vec<_> = (0..8)
        .map(|_| net.pass(500).refused("alice", THIEF, 24))
        .collect();
    let mut absurd = net.logon("bob", "10.0.0.7", "bobs");
    absurd.time = Timestamp::MAX;
    tries.insert(4, absurd);
    let alert = one(verdict(Settings::default(), tries));
    assert_eq!(alert.count, 8);
    assert!(alert.end < at(60), "{}", alert.end);
}

#[test]
fn yesterdays_failures_are_yesterdays() {
    let net = Net::default();
    let mut tries: Vec<_> = (0..7)
        .map(|_| net.pass(500).refused("alice", THIEF, 24))
        .collect();
    net.pass(82_800_000);
    tries.push(net.refused("alice", THIEF, 24));
    tries.push(net.pass(500).refused("alice", THIEF, 24));
    assert_eq!(verdict(Settings::default(), tries), []);
}

#[test]
fn exclusions_silence_and_are_counted() {
    let net = Net::default();
    let settings = |until: Option<Timestamp>| Settings {
        exclusions: vec![Exclusion {
            detection: Some(2006),
            source: Some("10.0.0.0/28".parse().expect("a network")),
            until,
            reason: "directory synchronisation".into(),
            ..Exclusion::default()
        }],
        ..Settings::default()
    };
    let mut engine = Engine::new(settings(None));
    assert_eq!(engine.observe(Input::Activity(replicate(&net, THIEF))), []);
    assert_eq!(engine.stats().campaigns[&2006].excluded, 1);
    assert_eq!(
        engine
            .observe(Input::Activity(replicate(&net, "10.0.0.99")))
            .len(),
        1
    );

    engine.reload(settings(Some(at(60))));
    assert_eq!(engine.observe(Input::Activity(replicate(&net, THIEF))), []);
    net.pass(60_000);
    assert_eq!(
        engine
            .observe(Input::Activity(replicate(&net, THIEF)))
            .len(),
        1
    );
}

#[test]
fn an_exclusion_for_an_account_spares_its_victims_only() {
    let net = Net::default();
    let settings = Settings {
        exclusions: vec![Exclusion {
            account: Some(Account::new("user0", "")),
            ..Exclusion::default()
        }],
        ..Settings::default()
    };
    let spray: Vec<_> = (0..6)
        .map(|n| net.pass(500).refused(&format!("user{n}"), THIEF, 24))
        .collect();
    let alert = one(verdict(settings, spray));
    assert_eq!((alert.count, alert.targets_total), (5, 5));
}

#[test]
fn knowledge_outlives_a_reload_and_settings_do_not() {
    let net = Net::default();
    let mut engine = Engine::new(Settings::default());
    engine.observe(Input::Activity(net.logon("mallory", THIEF, "tgt")));
    engine.reload(Settings {
        sensor: "renamed".into(),
        controllers: vec![ip("10.0.0.2")],
        ..Settings::default()
    });
    assert_eq!(
        engine.observe(Input::Activity(replicate(&net, "10.0.0.2"))),
        []
    );
    let outputs = engine.observe(Input::Activity(replicate(&net, THIEF)));
    let alert = outputs[0].alert();
    assert_eq!(alert.sensor, "renamed");
    assert_eq!(
        alert.source.account,
        Some(Account::new("mallory", "corp.example"))
    );
}

#[test]
fn a_source_whose_name_becomes_known_is_named() {
    let net = Net::default();
    let mut named = net.logon("ws9$", THIEF, "ws9s");
    named.time = at(1);
    let alert = one(verdict(
        Settings::default(),
        [replicate(&net, THIEF), named],
    ));
    assert_eq!(alert.source.host.as_deref(), Some("ws9"));
}

#[test]
fn detections_describe_themselves() {
    let all = Engine::catalogue();
    assert!(all.is_sorted_by(|a, b| a.external_id < b.external_id));
    for one in all {
        assert!(
            !one.techniques.is_empty() && !one.remediation.is_empty(),
            "{}",
            one.name
        );
        for text in [one.title, one.meaning, one.help, one.look_alikes] {
            assert!(text.len() > 20 && !text.contains("  "), "{text}");
        }
    }
    let learned = all.iter().filter(|one| one.learning.is_some()).count();
    assert_eq!(
        Engine::new(Settings::default()).learning().len(),
        learned,
        "those that have a baseline"
    );
}

#[test]
fn an_answer_alone_is_enough_for_nothing_but_harms_nothing() {
    let net = Net::default();
    let mut activities = eventful_day();
    for activity in &mut activities {
        match &mut activity.kind {
            Kind::As(exchange) => exchange.request = None,
            Kind::Tgs(exchange) => exchange.request = None,
            _ => {}
        }
    }
    activities.push(replicate(net.pass(9_000_000), THIEF));
    let alerts = verdict(Settings::default(), activities);
    assert_eq!(
        of(2412, alerts.clone()),
        [],
        "a proof may have been in the request"
    );
    assert_eq!(of(2003, alerts.clone()).len(), 1, "the answers say enough");
    assert_eq!(of(2023, alerts).len(), 1);
}
