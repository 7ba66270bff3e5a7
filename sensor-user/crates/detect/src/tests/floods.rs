//! Floods: bounds hold, and what is let go is counted.

use std::net::IpAddr;

use goshawk_model::Outcome;
use goshawk_model::kerberos::Answer;

use super::{THIEF, replicate, run};
use crate::build::{AES, FULL, Net, RC4, issued, sealed, tgt};
use crate::{Engine, Input, Limits, Output, Settings};

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
            net.bind(&name, &from, Some(0x52e)),
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
        "ldap-brute-force-sources",
        "ldap-brute-force-victims",
        "account-enumeration-askers",
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
    let table = engine.stats().tables["brute-force-sources"];
    let (by_source, by_account) = (600 - 24, 600 - 64);
    assert_eq!(table.evicted, by_source + by_account, "{table:?}");
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
