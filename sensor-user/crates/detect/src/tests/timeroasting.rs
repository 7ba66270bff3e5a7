//! Timeroasting.

use goshawk_model::sntp::{SntpExchange, SntpForm};
use goshawk_model::{Activity, Confidence, Kind, Outcome};

use super::{one, verdict};
use crate::Settings;
use crate::build::Net;

fn asked(net: &Net, from: &str, rid: u32, signed: Option<bool>) -> Activity {
    let kind = Kind::Sntp(SntpExchange {
        rid,
        old_key: false,
        form: SntpForm::Basic,
        signed,
    });
    net.activity(from, Outcome::Success, kind)
}

/// A hundred and eighty a second, which is the rate of the first tool; few of the numbers exist.
fn roast(number: u32, pause: u64) -> Vec<Activity> {
    let net = Net::default();
    let ask = |rid| {
        let signed = (rid % 7 == 0).then_some(true);
        asked(net.pass(pause), "10.0.0.9", rid, signed)
    };
    (1_000..1_000 + number).map(ask).collect()
}

#[test]
fn numbers_are_counted_through() {
    let alert = one(verdict(Settings::default(), roast(700, 5)));
    assert_eq!(
        (alert.external_id, alert.confidence, alert.targets_total),
        (9001, Confidence::High, 700)
    );
    assert!(
        alert.reason.contains("100 answers were signed"),
        "{}",
        alert.reason
    );
}

#[test]
fn slowly_too() {
    let alert = one(verdict(Settings::default(), roast(12, 40_000)));
    assert!(alert.reason.contains("slowly"), "{}", alert.reason);
}

#[test]
fn computers_behind_one_gateway_ask_for_their_own() {
    let net = Net::default();
    let mut day = Vec::new();
    for _ in 0..5 {
        // Joined one after the other.
        for rid in 1_103..1_143 {
            day.push(asked(net.pass(8_000), "10.0.0.254", rid, Some(true)));
        }
        net.pass(900_000);
    }
    assert_eq!(verdict(Settings::default(), day), []);
}

#[test]
fn a_computer_without_answers_asks_again() {
    let net = Net::default();
    let day = (0..100).map(|_| asked(net.pass(2_000), "10.0.0.7", 1_103, None));
    assert_eq!(verdict(Settings::default(), day.collect::<Vec<_>>()), []);
}
