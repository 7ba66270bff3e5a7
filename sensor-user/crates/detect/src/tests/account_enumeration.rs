//! Account enumeration.

use goshawk_model::{Activity, Confidence};

use super::{golden, of, one, verdict};
use crate::Settings;
use crate::build::{AES, FULL, Net, issued, tgt};

const ENUMERATION: u16 = 2003;
const AT: &str = "10.0.0.9";

fn unknown(net: &Net, number: usize, pause: u64) -> Vec<Activity> {
    (0..number)
        .map(|n| net.pass(pause).refused(&format!("guess{n:03}"), AT, 6))
        .collect()
}

#[test]
fn kerbrute_with_hits() {
    let net = Net::default();
    let mut run = unknown(&net, 4, 20);
    run.push(net.pass(20).refused("alice", AT, 25));
    run.push(net.pass(20).refused("locked", AT, 18));
    run.push(
        net.pass(20)
            .unproved("svc_old", AT, FULL, issued(tgt("t"), AES)),
    );
    run.extend((0..2).map(|n| net.pass(20).refused(&format!("more{n}"), AT, 6)));
    let alert = one(verdict(Settings::default(), run));
    insta::assert_snapshot!(golden(&alert));
}

#[test]
fn nmap_over_udp_asks_everything_twice() {
    let net = Net::default();
    let twice = |number: usize| -> Vec<_> {
        let run = unknown(&net, number, 20);
        run.into_iter().flat_map(|one| [one.clone(), one]).collect()
    };
    assert_eq!(verdict(Settings::default(), twice(4)), []);
    assert_eq!(one(verdict(Settings::default(), twice(5))).count, 5);
}

#[test]
fn a_large_run_is_one_alert() {
    let net = Net::default();
    let alert = one(verdict(Settings::default(), unknown(&net, 1_500, 20)));
    assert_eq!((alert.targets_total, alert.count), (1_500, 1_500));
    assert_eq!((alert.targets.len(), alert.evidence.len()), (100, 50));
    assert_eq!(alert.confidence, Confidence::High);
}

#[test]
fn few_names_or_slowly_is_silent() {
    let net = Net::default();
    let again: Vec<_> = (0..50)
        .map(|_| net.pass(20).refused("gone$", AT, 6))
        .collect();
    assert_eq!(verdict(Settings::default(), again), []);
    assert_eq!(verdict(Settings::default(), unknown(&net, 4, 20)), []);
    assert_eq!(verdict(Settings::default(), unknown(&net, 9, 200_000)), []);
    let referrals: Vec<_> = (0..9)
        .map(|n| net.refused(&format!("u{n}"), AT, 68))
        .collect();
    assert_eq!(verdict(Settings::default(), referrals), []);
}

#[test]
fn who_logs_on_was_not_found() {
    let net = Net::default();
    let mut run = unknown(&net, 5, 20);
    run.push(net.pass(20).refused("alice", AT, 25));
    run.push(net.pass(20).logon("alice", AT, "tgt"));
    let alert = one(verdict(Settings::default(), run));
    assert!(
        alert.summary.contains("none was found"),
        "{}",
        alert.summary
    );
}

#[test]
fn a_run_that_only_asks_is_no_brute_force_and_no_roasting() {
    let net = Net::default();
    let mut run = unknown(&net, 20, 20);
    run.extend((0..20).map(|n| net.pass(20).refused(&format!("real{n}"), AT, 25)));
    let alert = one(verdict(Settings::default(), run));
    assert_eq!(alert.external_id, ENUMERATION);
}

#[test]
fn guessing_and_enumerating_are_two_truths() {
    let net = Net::default();
    let mut run = unknown(&net, 10, 20);
    run.extend((0..6).map(|n| net.pass(20).refused(&format!("real{n}"), AT, 24)));
    let alerts = verdict(Settings::default(), run);
    assert_eq!(of(ENUMERATION, alerts.clone()).len(), 1);
    assert_eq!(of(2023, alerts).len(), 1);
}

#[test]
fn on_a_busy_host_people_mistype() {
    let net = Net::default();
    let mut day: Vec<_> = (0..30)
        .map(|n| net.pass(10).logon(&format!("staff{n}"), AT, &n.to_string()))
        .collect();
    day.extend(unknown(&net, 6, 1_000));
    assert_eq!(verdict(Settings::default(), day), []);
}
