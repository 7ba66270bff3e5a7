//! The engine's own promises: time, campaigns, caps, exclusions, restarts.

use std::collections::BTreeSet;
use std::net::IpAddr;

use goshawk_model::kerberos::Answer;
use goshawk_model::rpc::drsuapi::DRS_GET_NC_CHANGES;
use goshawk_model::{Account, Activity, Alert, Kind, Outcome, Timestamp};

use super::{golden, of, one, verdict};
use crate::build::{AES, FULL, Net, RC4, at, ip, issued, kerberos, sealed, tgt, ticket};
use crate::{Engine, Exclusion, Input, Limits, Output, Settings};

const THIEF: &str = "10.0.0.9";

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
    for _ in 0..3 {
        net.pass(45_000);
        let auth = kerberos(ticket("ldap/dc1", "st"));
        day.push(net.drs(THIEF, DRS_GET_NC_CHANGES, auth, Outcome::Success));
    }
    day
}

fn run(engine: &mut Engine, inputs: impl IntoIterator<Item = Input>) -> Vec<Output> {
    inputs
        .into_iter()
        .flat_map(|input| engine.observe(input))
        .collect()
}

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
fn a_restart_at_any_point_changes_nothing() {
    let day = eventful_day();
    let mut whole = Engine::new(Settings::default());
    let mut outputs = run(&mut whole, day.iter().cloned().map(Input::Activity));
    outputs.extend(whole.finish());
    for cut in 0..=day.len() {
        let (before, after) = day.split_at(cut);
        let mut first = Engine::new(Settings::default());
        let mut restarted = run(&mut first, before.iter().cloned().map(Input::Activity));
        let mut second = Engine::new(Settings::default());
        second.restore(&first.snapshot()).expect("restores");
        restarted.extend(run(&mut second, after.iter().cloned().map(Input::Activity)));
        restarted.extend(second.finish());
        assert_eq!(restarted, outputs, "cut at {cut}");
        assert_eq!(second.stats(), whole.stats(), "cut at {cut}");
    }
}

#[test]
fn a_damaged_snapshot_changes_nothing() {
    let mut engine = Engine::new(Settings::default());
    run(&mut engine, eventful_day().into_iter().map(Input::Activity));
    let good = engine.snapshot();
    for cut in [0, 1, 10, good.len() / 2, good.len() - 1] {
        let error = engine.restore(&good[..cut]).expect_err("cut");
        assert!(
            error
                .to_string()
                .starts_with("the engine's snapshot is damaged"),
            "{error}"
        );
    }
    assert!(engine.restore(b"\xa0").is_err() && engine.restore(b"not CBOR").is_err());
    assert_eq!(engine.snapshot(), good);
}

#[test]
fn fields_may_be_absent_or_unknown() {
    use ciborium::cbor;
    let snapshot = |version: u16| {
        let value = cbor!({
            "magic" => "goshawk-engine",
            "version" => version,
            "written by" => "a later release",
            "state" => { "activities" => 7, "moods" => [1, 2], "knowledge" => { "rumours" => {} } },
        });
        let mut bytes = Vec::new();
        ciborium::into_writer(&value.expect("a value"), &mut bytes).expect("writes");
        bytes
    };
    let mut engine = Engine::new(Settings::default());
    engine.restore(&snapshot(1)).expect("restores");
    assert_eq!(engine.stats().activities, 7);
    let error = engine.restore(&snapshot(2)).expect_err("newer");
    assert!(error.to_string().contains("version 2"), "{error}");
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
    assert_eq!(closed, 5);
    let same = |alerts: Vec<Alert>| -> Vec<_> {
        alerts
            .into_iter()
            .map(|alert| (alert.id, alert.count, alert.summary))
            .collect()
    };
    assert_eq!(
        same(finals(&outputs)),
        same(verdict(Settings::default(), eventful_day()))
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
fn a_flood_of_sources_is_capped_and_does_not_bury_the_rest() {
    let net = Net::default();
    let mut engine = Engine::new(Settings {
        limits: Limits {
            open_campaigns: 50,
            alerts_per_hour: 100,
        },
        ..Settings::default()
    });
    let flood = (0..1_000_u32).map(|n| {
        let from = IpAddr::from((0x0a01_0000 + n).to_be_bytes()).to_string();
        Input::Activity(replicate(&net, &from))
    });
    let outputs = run(&mut engine, flood);
    let raised = outputs
        .iter()
        .filter(|output| matches!(output, Output::Raised(_)))
        .count();
    assert_eq!(raised, 100);
    let stats = engine.stats();
    let dcsync = stats.campaigns[&2006];
    assert_eq!(
        (dcsync.raised, dcsync.capped, dcsync.closed_early),
        (100, 900, 50)
    );
    assert_eq!(stats.open[&2006], 50);

    let guesses = (0..5).map(|n| Input::Activity(net.refused(&format!("x{n}"), THIEF, 6)));
    assert_eq!(
        run(&mut engine, guesses).len(),
        1,
        "another detection still speaks"
    );
    net.pass(3_600_000);
    let later = [replicate(&net, THIEF), replicate(net.pass(1_000), THIEF)];
    let outputs = run(&mut engine, later.map(Input::Activity));
    assert!(
        outputs
            .iter()
            .any(|output| matches!(output, Output::Raised(_))),
        "an hour later"
    );
}

/// Every bounded table, filled by 100,000 sources.
#[test]
fn a_hundred_thousand_sources_fill_no_more_than_the_limits() {
    let net = Net::default();
    let mut engine = Engine::new(Settings::default());
    for n in 0..100_000_u32 {
        let from = IpAddr::from((0x0a01_0000 + n).to_be_bytes()).to_string();
        let name = format!("user{n}");
        let service = format!("MSSQLSvc/db{n}");
        let unused = issued(tgt(&name), AES);
        let roasted = issued(sealed(&service, &service, AES), AES);
        for activity in [
            net.refused(&name, &from, 6),
            net.refused(&name, &from, 24),
            net.unproved(&name, &from, &[RC4], Answer::Refused(25)),
            net.unproved(&name, &from, FULL, unused),
            net.tgs((&from, "unknown"), &service, (2, FULL), None, roasted),
            net.drs(&from, 0, None, Outcome::Unknown),
            net.logon("staff", &from, "staffs"),
        ] {
            engine.observe(Input::Activity(activity));
        }
    }
    let stats = engine.stats();
    for (name, table) in &stats.tables {
        assert!(table.len <= table.limit, "{name}: {table:?}");
    }
    for name in [
        "requests",
        "hosts",
        "dcsync-sources",
        "brute-force-sources",
        "brute-force-victims",
        "account-enumeration-sources",
        "asrep-roasting-replies",
        "asrep-roasting-sources",
        "kerberoasting-askers",
    ] {
        let table = stats.tables[name];
        assert_eq!(table.len, table.limit, "{name} is full");
        assert!(table.evicted > 0, "{name} counts what it forgot");
    }
}

#[test]
fn failures_beyond_what_is_kept_are_counted() {
    let net = Net::default();
    let mut engine = Engine::new(Settings::default());
    let broken = (0..600).map(|_| Input::Activity(net.pass(100).refused("WS9$", THIEF, 24)));
    assert_eq!(run(&mut engine, broken), []);
    let table = engine.stats().tables["brute-force-failures-per-source"];
    assert!(table.evicted >= 600 - 512, "{table:?}");
}

#[test]
fn targets_beyond_what_can_be_told_apart_are_counted() {
    let net = Net::default();
    let mut engine = Engine::new(Settings::default());
    for n in 0..200_200 {
        engine.observe(Input::Activity(net.refused(&n.to_string(), THIEF, 6)));
    }
    let alert = engine.finish()[0].alert().clone();
    assert_eq!((alert.targets_total, alert.count), (200_100, 200_200));
    assert_eq!(engine.stats().campaigns[&2003].uncounted, 100);
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
    assert_eq!(
        Engine::new(Settings::default()).learning(),
        [],
        "all fire from the first packet"
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

mod properties {
    use proptest::prelude::*;

    use super::*;

    /// Anything a decoder might make of anything.
    fn anything() -> impl Strategy<Value = Input> {
        let etypes =
            prop::collection::vec(prop::sample::select(vec![18, 17, 23, 3, -135, 0]), 0..4);
        let padata =
            prop::collection::vec(prop::sample::select(vec![1, 2, 16, 128, 129, 136]), 0..3);
        let name = prop::sample::select(vec!["", "a", "b\\c", "ws1$", "x/y", "é@é", "krbtgt/K"]);
        let from = prop::sample::select(vec!["10.0.0.7", "10.0.0.9", "fe80::1"]);
        let code = prop::sample::select(vec![0, 6, 7, 14, 18, 24, 25, 52, 68, -1]);
        let when = prop_oneof![8 => 0..5_000_u64, 1 => Just(u64::MAX / 1_000_000_000)];
        (0..7_u8, name, from, (etypes, padata), code, when, 0..6_u16).prop_map(
            |(kind, name, from, (etypes, padata), code, when, n)| {
                let net = Net::default();
                let answer = || match code {
                    0 => issued(
                        sealed(name, &n.to_string(), etypes.first().copied().unwrap_or(0)),
                        23,
                    ),
                    -1 => Answer::Unseen,
                    code => Answer::Refused(code),
                };
                let mut activity = match kind {
                    0 | 1 => net.ask(
                        name,
                        from,
                        "krbtgt/CORP.EXAMPLE",
                        (&etypes, &padata),
                        answer(),
                    ),
                    2 => net.ask(name, from, name, (&etypes, &padata), answer()),
                    3 => net.tgs(
                        (from, &n.to_string()),
                        name,
                        (n.into(), &etypes),
                        Some(name),
                        answer(),
                    ),
                    4 => net.used(from, ticket(name, &n.to_string())),
                    5 => net.drs(
                        from,
                        n,
                        kerberos(ticket(name, &n.to_string())),
                        Outcome::Failure,
                    ),
                    _ => return Input::Tick(at(when)),
                };
                activity.time = at(when);
                Input::Activity(activity)
            },
        )
    }

    proptest! {
        #[test]
        fn no_sequence_panics_or_outgrows_its_limits_or_forgets_over_a_restart(
            inputs in prop::collection::vec(anything(), 0..200),
            cut in 0..200_usize,
        ) {
            let mut engine = Engine::new(Settings::default());
            let mut other = Engine::new(Settings::default());
            for (n, input) in inputs.into_iter().enumerate() {
                if n == cut {
                    let bytes = other.snapshot();
                    other = Engine::new(Settings::default());
                    other.restore(&bytes).expect("restores");
                }
                prop_assert_eq!(engine.observe(input.clone()), other.observe(input));
            }
            prop_assert_eq!(engine.finish(), other.finish());
            for (name, table) in engine.stats().tables {
                prop_assert!(table.len <= table.limit, "{}", name);
            }
        }

        #[test]
        fn no_bytes_make_restoring_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Engine::new(Settings::default()).restore(&bytes).is_err());
        }
    }
}
