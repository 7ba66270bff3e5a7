//! NetBIOS over UDP as activities: names asked for, taken and told, and what mailslots hold.

mod support;

use std::net::{IpAddr, Ipv4Addr};

use goshawk_decode::{Limits, Protocol, Stats};
use goshawk_model::inventory::SightingSource;
use goshawk_model::netbios::{
    MailslotMessage, NameExchange, NameOperation, NetbiosDatagram, NetbiosName,
};
use goshawk_model::{Activity, Kind, Outcome};

use support::decode_all;
use support::dns::{Dns, IN};
use support::wire::{CLIENT, SERVER, Wire};

const NODE: ([u8; 4], u16) = (CLIENT, 137);
const OTHER: ([u8; 4], u16) = (SERVER, 137);
const EVERYBODY: ([u8; 4], u16) = ([10, 0, 0, 255], 137);
const NB: u16 = 0x20;
const NBSTAT: u16 = 0x21;
/// `B` of `NM_FLAGS`, and `R` with `AA`.
const BROADCAST: u16 = 0x10;
const ANSWER: u16 = 0x8400;
const REGISTRATION: u16 = 5 << 11;

/// A name in 16 bytes, padded, with its suffix.
fn padded(name: &str, suffix: u8) -> Vec<u8> {
    let mut bytes = format!("{name:15}").into_bytes();
    bytes.push(suffix);
    bytes
}

/// A name as one label of letters (RFC 1001 14.1).
fn encoded(name: &str, suffix: u8) -> String {
    let halves = padded(name, suffix);
    let letters = halves.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    letters.map(|half| char::from(b'A' + half)).collect()
}

fn all(wire: &Wire) -> (Vec<Activity>, Stats) {
    let (all, stats) = decode_all(&wire.packets, Limits::default());
    (all.into_iter().map(|it| it.activity).collect(), stats)
}

fn exchanges(wire: &Wire) -> Vec<(NameExchange, Outcome)> {
    let (all, stats) = all(wire);
    assert_eq!(stats.protocol(Protocol::Netbios).errors, 0);
    let exchanges = all.into_iter().filter_map(|it| match it.kind {
        Kind::Netbios(exchange) => Some((*exchange, it.outcome)),
        _ => None,
    });
    exchanges.collect()
}

fn datagrams(wire: &Wire) -> Vec<NetbiosDatagram> {
    let datagrams = all(wire).0.into_iter().filter_map(|it| match it.kind {
        Kind::Datagram(datagram) => Some(*datagram),
        _ => None,
    });
    datagrams.collect()
}

/// The sightings as texts.
fn seen(wire: &Wire) -> Vec<String> {
    let sightings = all(wire).0.into_iter().filter_map(|it| match it.kind {
        Kind::Sighting(sighting) => Some(sighting.to_string()),
        _ => None,
    });
    sightings.collect()
}

fn name(name: &str, suffix: u8) -> NetbiosName {
    NetbiosName {
        name: name.into(),
        suffix,
    }
}

#[test]
fn what_everybody_is_asked_is_told_at_once_and_each_answer_alone() {
    let label = encoded("WPAD", 0);
    let question = Dns::new(7, BROADCAST | 0x100)
        .question(&label, (NB, IN))
        .bytes();
    let mut wire = Wire::new();
    for _repeated in 0..3 {
        wire.udp(NODE, EVERYBODY, &question);
    }
    let poisoner = ([10, 0, 0, 66], 137);
    let data = [&[0, 0][..], &poisoner.0].concat();
    let answer = Dns::new(7, ANSWER).record(1, &label, (NB, IN), &data);
    wire.udp(poisoner, NODE, &answer.bytes());
    let found = exchanges(&wire);
    let [(asked, unanswered), (answered, success)] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(
        (*unanswered, *success),
        (Outcome::Unknown, Outcome::Success)
    );
    assert_eq!((asked.id, &asked.name), (7, &name("WPAD", 0)));
    assert!(asked.broadcast && asked.asked && !answered.asked);
    let answer = answered.answer.as_ref().unwrap();
    assert_eq!(answer.addresses, [Ipv4Addr::from(poisoner.0)]);
    assert_eq!(
        (answered.id, &answered.name, answer.group),
        (7, &name("WPAD", 0), false)
    );
}

#[test]
fn a_node_tells_its_names_and_so_who_it_is() {
    let label = encoded("*", 0);
    let mut wire = Wire::new();
    let question = Dns::new(8, 0).question(&label, (NBSTAT, IN));
    wire.udp((CLIENT, 50_001), OTHER, &question.bytes());
    let mut table = vec![3];
    for (own, suffix, flags) in [
        ("DC1", 0, 0x0400_u16),
        ("CORP", 0, 0x8400),
        ("CORP", 0x1c, 0x8400),
    ] {
        table.extend(padded(own, suffix));
        table.extend(flags.to_be_bytes());
    }
    table.extend([2, 0, 0, 0, 0, 1]);
    table.extend([0; 40]);
    let answer = Dns::new(8, ANSWER).record(1, &label, (NBSTAT, IN), &table);
    wire.udp(OTHER, (CLIENT, 50_001), &answer.bytes());
    let found = exchanges(&wire);
    let [(status, Outcome::Success)] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(status.operation, NameOperation::Status);
    let answer = status.answer.as_ref().unwrap();
    let names: Vec<_> = answer
        .names
        .iter()
        .map(|it| (it.name.to_string(), it.group))
        .collect();
    let expected = [("DC1<00>", false), ("CORP<00>", true), ("CORP<1c>", true)];
    assert_eq!(
        names,
        expected.map(|(name, group)| (name.to_owned(), group))
    );
    assert_eq!(answer.unit_id.as_deref(), Some("02:00:00:00:00:01"));
    assert_eq!(
        seen(&wire),
        ["10.0.0.1 is dc1 of corp, by a NetBIOS name table"]
    );
}

#[test]
fn a_name_is_taken_unless_another_objects() {
    let label = encoded("WS1", 0x20);
    let data = [&[0, 0][..], &CLIENT].concat();
    let request = Dns::new(9, REGISTRATION | BROADCAST)
        .question(&label, (NB, IN))
        .record(3, &label, (NB, IN), &data);
    let mut wire = Wire::new();
    wire.udp(NODE, EVERYBODY, &request.bytes());
    let found = exchanges(&wire);
    assert_eq!(found[0].0.operation, NameOperation::Registration);
    assert_eq!(found[0].0.registered, [Ipv4Addr::from(CLIENT)]);
    assert_eq!(seen(&wire), ["10.0.0.9 is ws1, by a NetBIOS registration"]);

    let mut wire = Wire::new();
    let request = Dns::new(9, REGISTRATION).record(3, &label, (NB, IN), &data);
    wire.udp(NODE, OTHER, &request.bytes());
    // Asked for patience first (RFC 1002 4.2.16).
    let wait = Dns::new(9, ANSWER | 7 << 11).record(1, &label, (NB, IN), &[0, 0]);
    wire.udp(OTHER, NODE, &wait.bytes());
    let refused = Dns::new(9, ANSWER | REGISTRATION | 6).record(1, &label, (NB, IN), &data);
    wire.udp(OTHER, NODE, &refused.bytes());
    let found = exchanges(&wire);
    let [(registration, Outcome::Failure)] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(registration.answer.as_ref().unwrap().rcode, 6);
    assert!(seen(&wire).is_empty());
}

/// A datagram from WS1 to everybody in CORP that writes `data` to a mailslot.
fn written(mailslot: &str, data: &[u8]) -> Wire {
    let path = [mailslot.as_bytes(), &[0]].concat();
    let offset = 32 + 1 + 34 + 2 + path.len() as u16;
    let mut smb = [b"\xffSMB\x25".to_vec(), vec![0; 27], vec![17]].concat();
    let mut words = [0_u16; 17];
    // DataCount, DataOffset, SetupCount, and MailslotOpcode 1: write.
    (words[11], words[12], words[13], words[14]) = (data.len() as u16, offset, 3, 1);
    smb.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    smb.extend(((path.len() + data.len()) as u16).to_le_bytes());
    smb.extend([&path, data].concat());

    let mut datagram = vec![0x11, 0x02, 0, 1];
    datagram.extend(CLIENT);
    datagram.extend([0, 138, 0, 0, 0, 0]);
    for (own, suffix) in [("WS1", 0), ("CORP", 0x1e)] {
        datagram.push(32);
        datagram.extend(encoded(own, suffix).bytes());
        datagram.push(0);
    }
    datagram.extend(smb);
    let mut wire = Wire::new();
    wire.udp((CLIENT, 138), ([10, 0, 0, 255], 138), &datagram);
    wire
}

fn utf16(text: &str) -> Vec<u8> {
    let units = text.encode_utf16().chain([0]);
    units.flat_map(u16::to_le_bytes).collect()
}

#[test]
fn a_computer_announces_itself() {
    let mut data = vec![1, 0, 0x80, 0xfc, 0x0a, 0];
    data.extend(b"DC1\0\0\0\0\0\0\0\0\0\0\0\0\0");
    data.extend([6, 1]);
    data.extend(0x0080_100b_u32.to_le_bytes());
    data.extend([15, 1, 0x55, 0xaa, 0]);
    let wire = written(r"\MAILSLOT\BROWSE", &data);
    let [datagram] = &datagrams(&wire)[..] else {
        panic!("one datagram");
    };
    assert_eq!(
        (&datagram.source, &datagram.destination),
        (&name("WS1", 0), &name("CORP", 0x1e))
    );
    assert_eq!(datagram.mailslot.as_deref(), Some(r"\MAILSLOT\BROWSE"));
    let expected = MailslotMessage::Announcement {
        server: "DC1".into(),
        version: (6, 1),
        server_type: 0x0080_100b,
    };
    assert_eq!(datagram.message, Some(expected));
    assert_eq!(
        seen(&wire),
        ["10.0.0.9 is dc1, a domain controller, by a browser announcement"]
    );
    let (_, stats) = all(&wire);
    assert_eq!(stats.protocol(Protocol::Netbios).messages, 1);
    assert_eq!(stats.protocol(Protocol::Smb1).messages, 1);
}

#[test]
fn a_controller_is_looked_for_that_knows_an_account() {
    let data = [
        &[18, 0, 0, 0][..],
        &utf16("WS1"),
        &utf16("alice"),
        b"\\MAILSLOT\\NET\\GETDC1\0",
    ]
    .concat();
    let wire = written(r"\MAILSLOT\NET\NETLOGON", &data);
    let expected = MailslotMessage::SamLogonRequest {
        computer: "WS1".into(),
        user: "alice".into(),
    };
    assert_eq!(datagrams(&wire)[0].message, Some(expected));
    assert_eq!(seen(&wire), ["10.0.0.9 is ws1, by a NetBIOS datagram"]);
}

#[test]
fn controllers_answer() {
    let primary = |oem: &[u8], unicode: Vec<u8>| {
        let data = [&[12, 0][..], oem, &[0], &unicode, &utf16("CORP")].concat();
        datagrams(&written(r"\MAILSLOT\NET\GETDC1", &data))[0]
            .message
            .clone()
    };
    let expected = Some(MailslotMessage::PrimaryResponse {
        controller: "DC1".into(),
        domain: "CORP".into(),
    });
    // Unicode starts at an even byte.
    assert_eq!(primary(b"DC1", utf16("DC1")), expected);
    let expected = Some(MailslotMessage::PrimaryResponse {
        controller: "DC10".into(),
        domain: "CORP".into(),
    });
    assert_eq!(
        primary(b"DC10", [vec![0], utf16("DC10")].concat()),
        expected
    );

    let data = [
        &[19, 0][..],
        &utf16(r"\\DC1"),
        &utf16("alice"),
        &utf16("CORP"),
    ]
    .concat();
    let wire = written(r"\MAILSLOT\NET\GETDC1", &data);
    let Some(MailslotMessage::SamLogonResponse(response)) = &datagrams(&wire)[0].message else {
        panic!("an answer");
    };
    assert_eq!(
        (&*response.netbios_computer_name, &*response.user_name),
        ("DC1", "alice")
    );
    assert_eq!(
        seen(&wire),
        ["10.0.0.9 is dc1 of corp, a domain controller, by a netlogon answer"]
    );
}

#[test]
fn sightings_of_netbios_have_their_sources() {
    let data = [&[7, 0][..], b"WS1\0", b"\\MAILSLOT\\NET\\GETDC1\0"].concat();
    let wire = written(r"\MAILSLOT\NET\NETLOGON", &data);
    let expected = MailslotMessage::LogonQuery {
        computer: "WS1".into(),
    };
    assert_eq!(datagrams(&wire)[0].message, Some(expected));
    let (all, _) = all(&wire);
    let sighting = all.iter().find_map(|it| match &it.kind {
        Kind::Sighting(sighting) => Some(sighting),
        _ => None,
    });
    let sighting = sighting.unwrap();
    assert_eq!(sighting.source, SightingSource::NetbiosDatagram);
    assert_eq!(sighting.ip, IpAddr::from(CLIENT));
}
