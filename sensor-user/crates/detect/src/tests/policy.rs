//! How long tickets live, as it is said and as it shows, and what is made of one that lives longer.

use std::time::Duration;

use goshawk_model::kerberos::{Answer, OPTION_RENEW};
use goshawk_model::{Activity, Alert, Confidence, Kind, Timestamp};

use super::{THIEF, of, one, verdict};
use crate::build::{AES, FULL, Net, issued, tgt, ticket};
use crate::{Policy, Settings};

const HOUR: u64 = 3_600_000;

fn found(hours: Option<u64>, activities: impl IntoIterator<Item = Activity>) -> Vec<Alert> {
    let settings = Settings {
        policy: Policy {
            ticket_age: hours.map(|hours| Duration::from_secs(hours * 3600)),
            ..Policy::default()
        },
        ..Settings::default()
    };
    of(2022, verdict(settings, activities))
}

/// The ticket called `shown` is used, and used again so many hours later.
fn used_after(net: &Net, shown: &str, hours: u64) -> Vec<Activity> {
    let mut day = vec![net.service("alice", THIEF, shown, "cifs/srv", "first")];
    net.pass(hours * HOUR);
    // One stamp alone is not believed.
    day.extend((0..3).map(|n| {
        let name = format!("{shown}{n}");
        net.pass(500)
            .service("alice", THIEF, shown, "cifs/srv", &name)
    }));
    day
}

/// The ticket called `shown` is renewed.
fn renewed(net: &Net, shown: &str, new: &str) -> Activity {
    let mut activity = net.tgs(
        (THIEF, shown),
        "krbtgt/CORP.EXAMPLE",
        (2, FULL),
        Some("alice"),
        issued(tgt(new), AES),
    );
    if let Kind::Tgs(exchange) = &mut activity.kind
        && let Some(request) = &mut exchange.request
    {
        request.kdc_options |= OPTION_RENEW;
    }
    activity
}

#[test]
fn the_policy_that_is_said_decides() {
    let after = |hours| used_after(&Net::default(), "old", hours);
    assert_eq!(found(Some(24), after(12)), []);
    assert_eq!(
        one(found(Some(24), after(30))).confidence,
        Confidence::Medium
    );
    assert_eq!(one(found(Some(4), after(8))).confidence, Confidence::Medium);
}

#[test]
fn without_it_nothing_is_sure() {
    let net = Net::default();
    let alert = one(found(None, used_after(&net, "old", 12)));
    assert_eq!(alert.confidence, Confidence::Low);
    assert!(
        alert.reason.contains("may live longer here"),
        "{}",
        alert.reason
    );
}

#[test]
fn a_ticket_refused_at_its_end_shows_the_policy() {
    let net = Net::default();
    let mut logon = net.logon("bob", "10.0.0.8", "bobs");
    if let Kind::As(exchange) = &mut logon.kind
        && let Some(request) = &mut exchange.request
    {
        request.till = Some(Timestamp::from_parts(2_136_422_885, 0));
    }
    let mut day = vec![logon];
    let (first, later) = {
        let mut used = used_after(&net, "old", 10);
        (used.remove(0), used)
    };
    day.push(first);
    for _ in 0..3 {
        let answer = Answer::Refused(32);
        net.pass(500);
        day.push(net.tgs(("10.0.0.8", "bobs"), "cifs/srv", (2, FULL), None, answer));
    }
    day.extend(later);
    day.extend(used_after(&net, "old", 2));
    assert_eq!(one(found(None, day)).confidence, Confidence::Medium);
}

#[test]
fn a_ticket_from_before_is_renewed_for_a_week() {
    let net = Net::default();
    let renewals = |days: u64| {
        let mut week = vec![net.service("alice", THIEF, "t0", "cifs/srv", "first")];
        for n in 0..days * 3 {
            net.pass(8 * HOUR);
            for _ in 0..3 {
                net.pass(500);
                week.push(renewed(&net, &format!("t{n}"), &format!("t{}", n + 1)));
            }
        }
        found(None, week)
    };
    assert_eq!(renewals(6), []);
    let told = renewals(9);
    assert!(
        !told.is_empty(),
        "a forged one is renewed for as long as it says"
    );
}

#[test]
fn a_ticket_of_ours_is_renewed_as_often_as_the_controller_likes() {
    let net = Net::default();
    let mut week = vec![net.logon("alice", THIEF, "t0")];
    for n in 0..30 {
        net.pass(8 * HOUR);
        for _ in 0..3 {
            net.pass(500);
            week.push(renewed(&net, &format!("t{n}"), &format!("t{}", n + 1)));
        }
    }
    week.push(net.used(THIEF, ticket("cifs/srv", "none")));
    assert_eq!(found(None, week), []);
}
