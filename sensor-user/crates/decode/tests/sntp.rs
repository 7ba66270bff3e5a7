//! Signed time as activities: whose key, and whether the server gave its signature.

mod support;

use std::time::Duration;

use goshawk_decode::{Drop, Limits, Protocol, Stats};
use goshawk_model::sntp::{SntpExchange, SntpForm};
use goshawk_model::{Kind, Outcome};

use support::decode_with;
use support::wire::{CLIENT, SERVER, Wire};

const ASKER: ([u8; 4], u16) = (CLIENT, 50_001);
const CONTROLLER: ([u8; 4], u16) = (SERVER, 123);
const OLD_KEY: u32 = 1 << 31;

/// A message of this mode; `stamp` is what a request sends and its answer repeats.
fn ntp(mode: u8, stamp: u64, authenticator: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 48];
    bytes[0] = 3 << 3 | mode;
    let at = if mode == 3 || mode == 1 { 40 } else { 24 };
    bytes[at..at + 8].copy_from_slice(&stamp.to_be_bytes());
    bytes.extend(authenticator);
    bytes
}

fn basic(key: u32, checksum: u8) -> Vec<u8> {
    [&key.to_le_bytes()[..], &[checksum; 16]].concat()
}

fn extended(rid: u32, flags: u8, checksum: u8) -> Vec<u8> {
    [&rid.to_le_bytes()[..], &[0, 1, flags, 0], &[checksum; 64]].concat()
}

fn found(wire: &Wire, limits: Limits) -> (Vec<(SntpExchange, Outcome)>, Stats) {
    let (decoded, stats) = decode_with(&wire.packets, limits);
    let exchanges = decoded.into_iter().filter_map(|it| match it.activity.kind {
        Kind::Sntp(exchange) => Some((exchange, it.activity.outcome)),
        _ => None,
    });
    (exchanges.collect(), stats)
}

fn exchange(rid: u32, old_key: bool, form: SntpForm, signed: Option<bool>) -> SntpExchange {
    SntpExchange {
        rid,
        old_key,
        form,
        signed,
    }
}

#[test]
fn one_account_after_another_is_asked_for() {
    let mut wire = Wire::new();
    for rid in 1000..1003 {
        for _repeated in 0..2 {
            wire.wait(Duration::from_millis(100));
            wire.udp(ASKER, CONTROLLER, &ntp(3, 0, &basic(rid | OLD_KEY, 0)));
        }
    }
    // The answers come in their own order, and one never does.
    for rid in [1002, 1000] {
        for _repeated in 0..2 {
            wire.wait(Duration::from_millis(100));
            wire.udp(CONTROLLER, ASKER, &ntp(4, 0, &basic(rid | OLD_KEY, 9)));
        }
    }
    let (found, stats) = found(&wire, Limits::default());
    let of = |rid, signed| exchange(rid, true, SntpForm::Basic, signed);
    assert_eq!(
        found,
        [
            (of(1002, Some(true)), Outcome::Success),
            (of(1000, Some(true)), Outcome::Success),
            (of(1001, None), Outcome::Unknown),
        ]
    );
    assert_eq!(stats.protocol(Protocol::Sntp).messages, 10);
}

#[test]
fn the_extended_form_and_an_answer_without_a_signature() {
    let mut wire = Wire::new();
    wire.udp(ASKER, CONTROLLER, &ntp(1, 7, &extended(1105, 0, 0)));
    wire.udp(CONTROLLER, ASKER, &ntp(2, 7, &extended(1105, 0, 9)));
    wire.wait(Duration::from_secs(5));
    wire.udp(ASKER, CONTROLLER, &ntp(3, 8, &extended(1105, 1, 0)));
    wire.udp(CONTROLLER, ASKER, &ntp(4, 8, &[]));
    let (found, _) = found(&wire, Limits::default());
    let of = |old_key, signed| exchange(1105, old_key, SntpForm::Extended, Some(signed));
    let expected = [
        (of(false, true), Outcome::Success),
        (of(true, false), Outcome::Failure),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_signature_alone_tells_whose_it_is() {
    let mut wire = Wire::new();
    wire.udp(CONTROLLER, ASKER, &ntp(4, 7, &basic(1000, 9)));
    wire.udp(CONTROLLER, ASKER, &ntp(4, 8, &basic(1000, 0)));
    let (found, _) = found(&wire, Limits::default());
    let expected = exchange(1000, false, SntpForm::Basic, Some(true));
    assert_eq!(found, [(expected, Outcome::Success)]);
}

#[test]
fn time_without_an_authenticator_is_counted_and_tells_nothing() {
    let mut wire = Wire::new();
    wire.udp(ASKER, CONTROLLER, &ntp(3, 7, &[]));
    wire.udp(CONTROLLER, ASKER, &ntp(4, 7, &[]));
    wire.udp(ASKER, CONTROLLER, &[0x16, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    let (found, stats) = found(&wire, Limits::default());
    assert_eq!(found, []);
    let counts = stats.protocol(Protocol::Sntp);
    assert_eq!((counts.messages, counts.errors), (3, 0));
}

#[test]
fn unanswered_requests_stay_within_their_bound() {
    let mut wire = Wire::new();
    for rid in 0..100 {
        wire.udp(ASKER, CONTROLLER, &ntp(3, 0, &basic(rid, 0)));
    }
    let limits = Limits {
        max_pending: 4,
        ..Limits::default()
    };
    let (found, stats) = found(&wire, limits);
    assert_eq!(found.len(), 100);
    assert_eq!(stats.dropped(Drop::PendingEvicted), 96);
}
