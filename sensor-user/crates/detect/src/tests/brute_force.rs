//! Brute force and spray.

use goshawk_model::{Account, Activity, Confidence, Severity};

use super::{golden, one, verdict};
use crate::Settings;
use crate::build::Net;

const AT: &str = "10.0.0.9";

/// `number` wrong passwords of one account, `pause` milliseconds apart.
fn wrong(net: &Net, account: &str, from: &str, number: usize, pause: u64) -> Vec<Activity> {
    (0..number)
        .map(|_| net.pass(pause).refused(account, from, 24))
        .collect()
}

fn spray(net: &Net, accounts: usize, pause: u64) -> Vec<Activity> {
    (0..accounts)
        .flat_map(|n| {
            let name = format!("user{n:02}");
            // kerbrute asks without proof first.
            [
                net.pass(pause).refused(&name, AT, 25),
                net.pass(5).refused(&name, AT, 24),
            ]
        })
        .collect()
}

#[test]
fn brute_force_that_finds_the_password() {
    let net = Net::default();
    let mut activities = wrong(&net, "alice", AT, 9, 300);
    activities.push(net.pass(300).logon("alice", AT, "tgt"));
    let alert = one(verdict(Settings::default(), activities));
    insta::assert_snapshot!(golden(&alert));
}

#[test]
fn a_spray() {
    let net = Net::default();
    let alert = one(verdict(Settings::default(), spray(&net, 12, 100)));
    assert_eq!(
        (alert.severity, alert.confidence),
        (Severity::Medium, Confidence::High)
    );
    assert_eq!((alert.targets_total, alert.count), (12, 12));
    assert_eq!(alert.techniques, ["T1110.003"]);
    assert_eq!(alert.source.account, None);
}

#[test]
fn a_spray_in_a_loop_of_kinit_that_finds_one() {
    let net = Net::default();
    let mut activities = spray(&net, 6, 20_000);
    activities.push(net.pass(5).logon("bob", AT, "tgt"));
    let alert = one(verdict(Settings::default(), activities));
    assert_eq!(alert.severity, Severity::High);
    assert!(
        alert.reason.contains("bob@corp.example logged on"),
        "{}",
        alert.reason
    );
}

#[test]
fn thresholds() {
    let net = Net::default();
    assert_eq!(
        verdict(Settings::default(), wrong(&net, "alice", AT, 7, 500)),
        []
    );
    assert_eq!(
        verdict(Settings::default(), wrong(&net, "alice", AT, 8, 500)).len(),
        1
    );
    assert_eq!(
        verdict(Settings::default(), wrong(&net, "alice", AT, 20, 90_000)),
        []
    );
    assert_eq!(verdict(Settings::default(), spray(&net, 4, 1_000)), []);
    assert_eq!(verdict(Settings::default(), spray(&net, 5, 1_000)).len(), 1);
    assert_eq!(
        verdict(Settings::default(), spray(&net, 9, 500_000)),
        [],
        "too slow"
    );
}

#[test]
fn people_mistype_and_then_log_on() {
    let net = Net::default();
    let mut day = Vec::new();
    for n in 0..8 {
        let name = format!("user{n}");
        day.extend(wrong(&net, &name, AT, 5, 4_000));
        day.push(net.pass(4_000).logon(&name, AT, &name));
    }
    assert_eq!(verdict(Settings::default(), day), []);
}

#[test]
fn one_try_at_two_controllers_is_one_try() {
    let (dc1, dc2) = (Net::default(), Net::at("10.0.0.2"));
    let tries: Vec<_> = (0..6)
        .flat_map(|_| {
            [
                dc1.pass(5_000).refused("alice", AT, 24),
                dc2.pass(5_000).refused("alice", AT, 24),
            ]
        })
        .collect();
    assert_eq!(verdict(Settings::default(), tries), []);
}

/// Windows asks twice for one wrong password, at once; a person takes seconds for the next.
#[test]
fn a_doubled_failure_of_a_person_is_one_try() {
    let twice = |tries: usize| {
        let net = Net::default();
        let pairs = (0..tries).flat_map(|_| {
            [
                net.pass(6_000).refused("alice", AT, 24),
                net.pass(300).refused("alice", AT, 24),
            ]
        });
        let mut all: Vec<_> = pairs.collect();
        all.push(net.pass(4_000).logon("alice", AT, "alice"));
        verdict(Settings::default(), all)
    };
    assert_eq!(twice(5), []);
    assert_eq!(
        twice(9).len(),
        1,
        "eight tries are too many, doubled or not"
    );
}

#[test]
fn a_tool_in_a_hurry_is_no_person() {
    let tries = wrong(&Net::default(), "alice", AT, 8, 200);
    assert_eq!(verdict(Settings::default(), tries).len(), 1);
}

#[test]
fn a_retransmission_is_one_try() {
    let net = Net::default();
    let tries: Vec<_> = wrong(&net, "alice", AT, 5, 4_000)
        .into_iter()
        .flat_map(|one| [one.clone(), one])
        .collect();
    assert_eq!(verdict(Settings::default(), tries), []);
}

#[test]
fn a_lockout_continues_the_failures_and_starts_none() {
    let net = Net::default();
    let mut activities = wrong(&net, "alice", AT, 5, 300);
    activities.extend((0..3).map(|_| net.pass(300).refused("alice", AT, 18)));
    assert_eq!(one(verdict(Settings::default(), activities)).count, 8);
    let disabled: Vec<_> = (0..20)
        .map(|_| net.pass(300).refused("gone", AT, 18))
        .collect();
    assert_eq!(verdict(Settings::default(), disabled), []);
}

#[test]
fn a_stale_password_is_told_with_caution() {
    let net = Net::default();
    let alert = one(verdict(
        Settings::default(),
        wrong(&net, "svc", AT, 12, 30_000),
    ));
    assert_eq!(
        (alert.severity, alert.confidence),
        (Severity::Medium, Confidence::Low)
    );
    assert!(alert.reason.contains("even pace"), "{}", alert.reason);
}

#[test]
fn a_computer_with_a_broken_account_is_silent() {
    let net = Net::default();
    assert_eq!(
        verdict(Settings::default(), wrong(&net, "WS9$", AT, 50, 1_000)),
        []
    );
}

#[test]
fn on_a_busy_host_it_takes_more() {
    let busy = |failing: usize| {
        let net = Net::default();
        let mut all: Vec<_> = (0..60)
            .map(|n| net.pass(10).logon(&format!("staff{n}"), AT, &n.to_string()))
            .collect();
        all.extend(spray(&net, failing, 100));
        all
    };
    assert_eq!(verdict(Settings::default(), busy(19)), []);
    assert_eq!(verdict(Settings::default(), busy(20)).len(), 1);
}

#[test]
fn many_machines_share_the_work() {
    let net = Net::default();
    let tries = |machines: usize| -> Vec<_> {
        (0..21)
            .map(|n| {
                let from = format!("10.0.1.{}", n % machines);
                net.pass(1_000).refused("alice", &from, 24)
            })
            .collect()
    };
    let alert = one(verdict(Settings::default(), tries(3)));
    assert_eq!((alert.source.ip, alert.count), (None, 21));
    assert!(alert.summary.contains("3 machines"), "{}", alert.summary);
    let each = verdict(Settings::default(), tries(2));
    assert!(
        each.iter().all(|alert| alert.source.ip.is_some()),
        "each by itself"
    );
}

#[test]
fn a_sensitive_account_matters_more() {
    let net = Net::default();
    let settings = Settings {
        sensitive: vec![Account::new("alice", "")],
        ..Settings::default()
    };
    let alert = one(verdict(settings, wrong(&net, "alice", AT, 8, 300)));
    assert_eq!(alert.severity, Severity::High);
}
