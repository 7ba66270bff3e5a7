//! Sightings: which address is which computer, told once an hour.

mod support;

use std::net::IpAddr;
use std::time::Duration;

use goshawk_decode::{Decoded, Drop, Limits};
use goshawk_model::dns::rtype;
use goshawk_model::inventory::{Sighting, SightingSource};
use goshawk_model::{Confidence, Kind};

use support::dns::{ANSWER, Dns, IN, RECURSE, name, srv};
use support::messages::{as_rep, as_req};
use support::wire::{CLIENT, SERVER, Wire};
use support::{decode_all, decode_all_sharded, story};

const ASKER: ([u8; 4], u16) = (CLIENT, 50_001);
const KDC: ([u8; 4], u16) = (SERVER, 88);
const DNS: ([u8; 4], u16) = (SERVER, 53);
/// The operation code UPDATE.
const UPDATE: u16 = 5 << 11;

/// The sightings of a wire, each as one line.
fn seen(wire: &Wire) -> Vec<String> {
    let (all, _) = decode_all(&wire.packets, Limits::default());
    lines(&all)
}

fn lines(all: &[Decoded]) -> Vec<String> {
    let sightings = all.iter().filter_map(|it| match &it.activity.kind {
        Kind::Sighting(sighting) => Some(line(sighting, it.activity.confidence)),
        _ => None,
    });
    sightings.collect()
}

fn line(sighting: &Sighting, confidence: Confidence) -> String {
    format!("{sighting}, {confidence:?}")
}

/// A logon of an account with its proof.
fn logon(wire: &mut Wire, account: &str) {
    wire.udp(ASKER, KDC, &as_req(account, &[2, 128], &[18]));
    wire.udp(KDC, ASKER, &as_rep(account, &story::tgt(), 18));
}

#[test]
fn a_machine_that_logs_on_proves_its_name_and_its_kdc_is_seen() {
    let mut wire = Wire::new();
    logon(&mut wire, "WS1$");
    assert_eq!(
        seen(&wire),
        [
            "10.0.0.9 is ws1, by a ticket request's addresses, Medium",
            "10.0.0.9 is ws1 of corp.example, by a machine account's logon, High",
            "10.0.0.1 is a machine of corp.example, a domain controller, by a ticket issued, Medium",
        ]
    );
}

#[test]
fn what_shows_a_computer_comes_behind_it() {
    let mut wire = Wire::new();
    logon(&mut wire, "WS1$");
    let (all, _) = decode_all(&wire.packets, Limits::default());
    assert!(matches!(all.last().unwrap().activity.kind, Kind::As(_)));
    assert!(all.windows(2).all(|two| two[0].sub < two[1].sub));
}

#[test]
fn a_service_that_accepts_a_ticket_has_its_name() {
    let mut wire = Wire::new();
    story::replication(&mut wire);
    assert_eq!(
        seen(&wire),
        [
            "10.0.0.1 is dc1 of corp.example, by a service ticket accepted, High",
            "10.0.0.1 is a machine, a domain controller, by replication served, Medium",
        ]
    );
}

#[test]
fn the_same_is_told_again_after_an_hour() {
    let mut wire = Wire::new();
    let mut told = Vec::new();
    for minutes in [0, 10, 49, 2, 30] {
        wire.wait(Duration::from_secs(60 * minutes));
        logon(&mut wire, "alice");
        let so_far = seen(&wire);
        told.push(so_far.iter().filter(|line| line.contains("issued")).count());
    }
    assert_eq!(told, [1, 1, 1, 2, 2]);
}

#[test]
fn a_flood_of_names_stays_within_its_bound_and_is_counted() {
    let mut wire = Wire::new();
    for number in 0..100 {
        let asker = (CLIENT, 50_000 + number);
        let account = format!("ws{number}$");
        wire.udp(asker, KDC, &as_req(&account, &[2, 128], &[18]));
        wire.udp(KDC, asker, &as_rep(&account, &story::tgt(), 18));
    }
    let limits = Limits {
        max_sightings: 10,
        ..Limits::default()
    };
    let (all, stats) = decode_all(&wire.packets, limits);
    assert_eq!(lines(&all).len(), 102);
    assert_eq!(stats.dropped(Drop::SightingEvicted), 92);
}

#[test]
fn what_is_told_does_not_depend_on_who_shares_the_work() {
    let mut wire = Wire::new();
    for last in 1..=40 {
        let client = ([10, 0, 7, last], 50_001);
        for account in ["WS1$", "alice", "WS1$"] {
            wire.udp(client, KDC, &as_req(account, &[2, 128], &[18]));
            wire.udp(KDC, client, &as_rep(account, &story::tgt(), 18));
        }
    }
    let (alone, _) = decode_all(&wire.packets, Limits::default());
    assert_eq!(lines(&alone).len(), 3 * 40);
    for shards in [1, 3, 16] {
        assert_eq!(decode_all_sharded(&wire.packets, shards), alone);
    }
}

/// A question to the domain's DNS server and its answer.
fn lookup(asked: &str, qtype: u16, flags: u16, records: &[(usize, &str, u16, Vec<u8>)]) -> Wire {
    let mut wire = Wire::new();
    let question = |more| Dns::new(1, flags & RECURSE | more).question(asked, (qtype, IN));
    wire.udp(ASKER, DNS, &question(0).bytes());
    let answer = records
        .iter()
        .fold(question(flags), |answer, (section, owner, rtype, data)| {
            answer.record(*section, owner, (*rtype, IN), data)
        });
    wire.udp(DNS, ASKER, &answer.bytes());
    wire
}

#[test]
fn a_zones_server_says_who_is_where() {
    let alias = "files.corp.example";
    let records = [
        (1, alias, rtype::CNAME, name("srv1.corp.example")),
        (1, "srv1.corp.example", rtype::A, vec![10, 0, 0, 5]),
    ];
    let expected = ["10.0.0.5 is srv1 of corp.example, by a DNS address, Medium"];
    assert_eq!(
        seen(&lookup(alias, rtype::A, ANSWER | RECURSE, &records)),
        expected
    );
    // Fetched elsewhere, or by the resolver itself.
    assert!(seen(&lookup(alias, rtype::A, 0x8000 | RECURSE, &records)).is_empty());
    assert!(seen(&lookup(alias, rtype::A, ANSWER, &records)).is_empty());

    let reverse = "7.0.0.10.in-addr.arpa";
    let records = [(1, reverse, rtype::PTR, name("ws7.corp.example"))];
    let wire = lookup(reverse, rtype::PTR, ANSWER | RECURSE, &records);
    assert_eq!(
        seen(&wire),
        ["10.0.0.7 is ws7 of corp.example, by a DNS pointer, Medium"]
    );
}

#[test]
fn a_locators_answer_names_the_controllers() {
    let locator = "_ldap._tcp.dc._msdcs.corp.example";
    let records = [
        (1, locator, rtype::SRV, srv(389, "dc2.corp.example")),
        (3, "dc2.corp.example", rtype::A, vec![10, 0, 0, 2]),
        (3, "other.corp.example", rtype::A, vec![10, 0, 0, 3]),
    ];
    let wire = lookup(locator, rtype::SRV, ANSWER | RECURSE, &records);
    assert_eq!(
        seen(&wire),
        ["10.0.0.2 is dc2 of corp.example, a domain controller, by a DNS service record, Medium"]
    );
}

#[test]
fn who_enters_its_own_address_is_seen_and_who_enters_others_is_not() {
    let update = |flags| Dns::new(3, UPDATE | flags).question("corp.example", (rtype::SOA, IN));
    let request = update(0)
        .record(2, "ws9.corp.example", (rtype::A, IN), &CLIENT)
        .record(2, "ws8.corp.example", (rtype::A, IN), &[10, 0, 0, 8])
        .record(2, "*.corp.example", (rtype::A, IN), &CLIENT);
    let mut wire = Wire::new();
    wire.udp(ASKER, DNS, &request.bytes());
    wire.udp(DNS, ASKER, &update(0x8000).bytes());
    assert_eq!(
        seen(&wire),
        ["10.0.0.9 is ws9 of corp.example, by a DNS update, Low"]
    );
}

#[test]
fn sightings_name_their_source_in_texts() {
    let ip = IpAddr::from(SERVER);
    let sighting = Sighting {
        ip,
        name: None,
        domain: None,
        controller: true,
        source: SightingSource::Kdc,
    };
    let text = "10.0.0.1 is a machine, a domain controller, by a ticket issued";
    assert_eq!(sighting.to_string(), text);
}
