//! Requests that are never answered stay within their bounds, and none is forgotten silently.

mod support;

use goshawk_decode::{Drop, Limits};

use support::decode_with;
use support::ldap;
use support::messages::{Pdu, as_req};
use support::wire::{CLIENT, SERVER, Wire};

fn limits() -> Limits {
    Limits {
        max_pending: 4,
        ..Limits::default()
    }
}

#[test]
fn unanswered_kerberos_requests() {
    let mut wire = Wire::new();
    for client in 0..100 {
        let asked = as_req(&format!("user{client}"), &[], &[18]);
        wire.udp((CLIENT, 50_001), (SERVER, 88), &asked);
    }
    let (found, stats) = decode_with(&wire.packets, limits());
    assert_eq!(found.len(), 100);
    assert_eq!(stats.dropped(Drop::PendingEvicted), 96);
}

#[test]
fn unanswered_calls() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_004, 1025);
    for call_id in 0..100 {
        wire.ask(&mut tcp, &Pdu::request(call_id, 3, &[]).bytes());
    }
    let (found, stats) = decode_with(&wire.packets, limits());
    assert_eq!(found.len(), 100);
    assert_eq!(stats.dropped(Drop::PendingEvicted), 96);
}

#[test]
fn unanswered_searches() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_005, 389);
    for id in 0..100 {
        let filter = ldap::equals("cn", b"bob");
        wire.ask(&mut tcp, &ldap::search(id, "DC=corp", &filter, &[]));
    }
    let (found, stats) = decode_with(&wire.packets, limits());
    assert_eq!(found.len(), 100);
    assert_eq!(stats.dropped(Drop::PendingEvicted), 96);
}

#[test]
fn messages_longer_than_taken() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_002, 88);
    let asked = as_req("alice", &[], &[18]);
    wire.ask(&mut tcp, &support::messages::record(&asked));
    wire.ask(&mut tcp, &[0x7f, 0xff, 0xff, 0xff, 0x6a]);
    // Found again at the next segment that a message begins.
    wire.ask(&mut tcp, &support::messages::record(&asked));
    let (found, stats) = decode_with(&wire.packets, Limits::default());
    assert_eq!(found.len(), 2);
    assert_eq!(stats.dropped(Drop::LongMessage), 1);
}
