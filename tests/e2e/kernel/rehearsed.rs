//! Frames run through the program one by one (`BPF_PROG_TEST_RUN`): what is taken, what is left,
//! and that every frame is accounted for.

use goshawk_sensor::capture::kernel::{Entry, MIN_RING_BYTES, Settings};
use sensor_ebpf::{Counter, DEFAULT_PORTS};

use crate::Sensor;
use crate::frames::{self, CLIENT, Flags, SERVER, tcp, udp};

const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;
const TC_ACT_SHOT: u32 = 2;
const TC_ACT_UNSPEC: u32 = u32::MAX;

/// A port that nobody lists.
const OTHER: u16 = 49_664;

/// DCE/RPC bind, version 5.0, little-endian, 72 bytes long (C706 12.6.4.3).
fn bind() -> Vec<u8> {
    let mut pdu = vec![5, 0, 11, 3, 0x10, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0];
    pdu.resize(72, 0);
    pdu
}

#[test]
fn every_listed_port_is_taken_on_either_side() {
    let mut sensor = Sensor::new();
    for port in DEFAULT_PORTS {
        assert!(sensor.takes(&udp(40_000, port, b"to the server")), "{port}");
        assert!(sensor.takes(&udp(port, 40_000, b"to the client")), "{port}");
        let (client, server) = ((CLIENT, 40_000), (SERVER, port));
        assert!(
            sensor.takes(&tcp(client, server, Flags::Ack, b"to the server")),
            "{port}"
        );
        assert!(
            sensor.takes(&tcp(server, client, Flags::Ack, b"to the client")),
            "{port}"
        );
    }
    let frames = 4 * DEFAULT_PORTS.len() as u64;
    for counter in [
        Counter::Seen,
        Counter::Matched,
        Counter::Copied,
        Counter::Records,
    ] {
        assert_eq!(sensor.count(counter), frames);
    }
    let bytes: usize = DEFAULT_PORTS.len() * (2 * (42 + 13) + 2 * (54 + 13));
    assert_eq!(sensor.count(Counter::CopiedBytes), bytes as u64);
}

#[test]
fn other_traffic_is_seen_and_left_alone() {
    let mut sensor = Sensor::new();
    assert!(!sensor.takes(&udp(40_000, 9, b"discard")));
    assert!(!sensor.takes(&tcp(
        (CLIENT, 40_000),
        (SERVER, 443),
        Flags::Ack,
        b"\x16\x03\x01\x02\x00"
    )));
    assert!(!sensor.takes(&frames::arp()));
    assert_eq!(sensor.count(Counter::Seen), 3);
    assert!(
        sensor
            .counts()
            .iter()
            .all(|(counter, n)| counter == Counter::Seen || n == 0)
    );
}

#[test]
fn listed_ports_are_a_setting() {
    let mut sensor = Sensor::load(&Settings {
        ports: [9, 65_535].into(),
        ..Settings::default()
    });
    assert!(sensor.takes(&udp(40_000, 9, b"listed")));
    assert!(sensor.takes(&udp(65_535, 40_000, b"listed")));
    assert!(!sensor.takes(&udp(40_000, 88, b"no longer")));
}

#[test]
fn verdicts_follow_the_mode() {
    let frame = udp(40_000, 88, b"kerberos");
    for (drop, xdp, ingress) in [
        (false, XDP_PASS, TC_ACT_UNSPEC),
        (true, XDP_DROP, TC_ACT_SHOT),
    ] {
        let mut sensor = Sensor::load(&Settings {
            drop,
            ..Settings::default()
        });
        for (entry, expected) in [
            (Entry::Xdp, xdp),
            (Entry::TcIngress, ingress),
            // A tap sends nothing, so nothing that leaves is ever dropped.
            (Entry::TcEgress, TC_ACT_UNSPEC),
        ] {
            let (verdict, captured) = sensor.see_at(entry, &frame);
            assert_eq!(
                (verdict, captured.len()),
                (expected, 1),
                "{entry:?}, drop {drop}"
            );
            assert_eq!(captured[0].data, frame);
            let (verdict, captured) = sensor.see_at(entry, &udp(1, 2, b"other"));
            assert_eq!(
                (verdict, captured.len()),
                (expected, 0),
                "{entry:?}, drop {drop}"
            );
        }
    }
}

#[test]
fn up_to_two_vlan_tags_are_followed() {
    let mut sensor = Sensor::new();
    assert!(sensor.takes(&frames::vlan(&[5])));
    let double = frames::vlan(&[100, 5]);
    assert!(sensor.takes(&double));
    let mut triple = double[..12].to_vec();
    triple.extend([0x88, 0xa8, 0, 9]);
    triple.extend(&double[12..]);
    assert!(!sensor.takes(&triple));
}

#[test]
fn options_and_extension_headers_are_followed() {
    let mut sensor = Sensor::new();
    assert!(sensor.takes(&frames::ipv4_options()));
    assert!(sensor.takes(&frames::ipv6_extensions()));
    assert!(sensor.takes(&frames::ipv6_chain(8)));
    assert!(!sensor.takes(&frames::ipv6_chain(9)));
    assert_eq!(sensor.count(Counter::Extensions), 1);
}

#[test]
fn frames_that_end_in_a_header_are_counted() {
    let mut sensor = Sensor::new();
    let frame = udp(40_000, 88, b"");
    for end in [20, 33, 37] {
        assert!(!sensor.takes(&frame[..end]));
    }
    assert_eq!(sensor.count(Counter::Truncated), 3);
    // A TCP header that is cut after its ports says enough.
    let segment = tcp((CLIENT, 40_000), (SERVER, 88), Flags::Ack, b"");
    assert!(sensor.takes(&segment[..40]));
    assert!(!sensor.takes(&tcp((CLIENT, 40_000), (SERVER, OTHER), Flags::Ack, b"")[..40]));
    assert_eq!(sensor.count(Counter::Truncated), 5);
}

#[test]
fn the_frame_s_length_is_believed_where_the_header_s_is_zero() {
    let mut sensor = Sensor::new();
    let frame = tcp((CLIENT, 40_000), (SERVER, 445), Flags::Ack, b"payload");
    assert!(sensor.takes(&frames::unfinished(frame)));
    let bind = tcp((CLIENT, 40_000), (SERVER, OTHER), Flags::Ack, &bind());
    assert!(sensor.takes(&frames::unfinished(bind)));
}

#[test]
fn later_fragments_follow_their_first() {
    let mut sensor = Sensor::new();
    for (first, later) in [frames::ipv4_fragments(7, 88), frames::ipv6_fragments(7, 88)] {
        let late = sensor.count(Counter::LateFragments);
        assert!(!sensor.takes(&later), "came before its first");
        assert_eq!(sensor.count(Counter::LateFragments), late + 1);
        let (_, one) = sensor.see(&first);
        let (_, two) = sensor.see(&later);
        assert_eq!((&one[0].data, &two[0].data), (&first, &later));
        assert_eq!(one[0].worker, two[0].worker);
    }
    assert_eq!(sensor.count(Counter::Fragments), 2);
    let (first, later) = frames::ipv4_fragments(8, 9);
    assert!(!sensor.takes(&first) && !sensor.takes(&later));
    assert_eq!(sensor.count(Counter::LateFragments), 3);
}

#[test]
fn an_endpoint_is_learned_from_its_first_request() {
    let mut sensor = Sensor::new();
    let (client, server) = ((CLIENT, 40_000), (SERVER, OTHER));
    assert!(!sensor.takes(&tcp(client, server, Flags::Syn, b"")));
    assert!(!sensor.takes(&tcp(client, server, Flags::Ack, b"no protocol of ours")));
    assert!(sensor.takes(&tcp(client, server, Flags::Ack, &bind())));
    assert_eq!(sensor.count(Counter::Learned), 1);
    // From now on both directions, whatever they carry, and every client.
    assert!(sensor.takes(&tcp(client, server, Flags::Ack, b"the middle of something")));
    assert!(sensor.takes(&tcp(
        server,
        client,
        Flags::Ack,
        b"the middle of the answer"
    )));
    assert!(sensor.takes(&tcp(([10, 0, 0, 77], 50_000), server, Flags::Syn, b"")));
    assert!(sensor.takes(&tcp(server, client, Flags::Fin, b"")));
    assert!(sensor.takes(&tcp(client, server, Flags::Rst, b"")));
    assert!(!sensor.takes(&tcp(client, server, Flags::Ack, b"")));
    assert_eq!(sensor.count(Counter::BareAcks), 1);
    // The client's other connections are its own business.
    assert!(!sensor.takes(&tcp(
        client,
        (SERVER, OTHER + 1),
        Flags::Ack,
        b"another port"
    )));
    assert_eq!(sensor.count(Counter::Learned), 1);
}

#[test]
fn an_answer_teaches_the_side_that_sent_it() {
    let mut sensor = Sensor::new();
    let mut ack = bind();
    ack[2] = 12;
    let (client, server) = ((CLIENT, 40_000), (SERVER, OTHER));
    assert!(sensor.takes(&tcp(server, client, Flags::Ack, &ack)));
    assert!(sensor.takes(&tcp(([10, 0, 0, 77], 50_000), server, Flags::Syn, b"")));
}

#[test]
fn each_protocol_is_recognised_by_its_first_bytes() {
    let kerberos = [&[0, 0, 0, 0x84, 0x6a, 0x81, 0x81][..], &[0x30; 0x81]].concat();
    let ldap =
        b"\x30\x84\x00\x00\x00\x10\x02\x01\x01\x60\x84\x00\x00\x00\x07\x02\x01\x03\x04\x00\x80\x00";
    let short_ldap = b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00";
    let smb2 = [&b"\0\0\0\x40\xfeSMB"[..], &[0; 60]].concat();
    let mut big_endian = bind();
    big_endian[4] = 0;
    big_endian[8..10].copy_from_slice(&72_u16.to_be_bytes());
    for (name, payload) in [
        ("DCE/RPC", &bind()[..]),
        ("DCE/RPC, big-endian", &big_endian),
        ("Kerberos", &kerberos),
        ("LDAP", ldap),
        ("LDAP, short lengths", short_ldap),
        ("SMB", &smb2),
    ] {
        let mut sensor = Sensor::new();
        assert!(
            sensor.takes(&tcp((CLIENT, 40_000), (SERVER, OTHER), Flags::Ack, payload)),
            "{name}"
        );
        assert!(
            sensor.takes(&tcp(
                (SERVER, OTHER),
                (CLIENT, 40_000),
                Flags::Ack,
                b"answer"
            )),
            "{name}"
        );
    }
}

#[test]
fn the_daemon_can_teach_an_endpoint() {
    let mut sensor = Sensor::new();
    let syn = tcp((CLIENT, 40_000), (SERVER, OTHER), Flags::Syn, b"");
    assert!(!sensor.takes(&syn));
    sensor.kernel.learn(SERVER.into(), OTHER).unwrap();
    assert!(sensor.takes(&syn));
}

#[test]
fn a_frame_larger_than_a_record_arrives_whole() {
    let mut sensor = Sensor::new();
    let mut payload = vec![0; 60_000];
    for (place, byte) in payload.iter_mut().enumerate() {
        *byte = (place % 251) as u8;
    }
    let sizes = [
        60, 80, 81, 208, 209, 464, 465, 2_000, 2_001, 16_336, 16_337, 32_672, 32_673, 60_000,
    ];
    for size in sizes {
        let frame = tcp(
            (CLIENT, 40_000),
            (SERVER, 445),
            Flags::Ack,
            &payload[..size - 54],
        );
        assert_eq!(frame.len(), size);
        assert!(sensor.takes(&frame), "{size}");
    }
    assert!(sensor.count(Counter::Records) > sensor.count(Counter::Copied));
}

#[test]
fn a_full_ring_loses_nothing_uncounted() {
    let settings = Settings {
        workers: 1,
        ring_bytes: MIN_RING_BYTES,
        ..Settings::default()
    };
    let mut sensor = Sensor::load(&settings);
    let runs = 3_000;
    let small = tcp((CLIENT, 40_000), (SERVER, 445), Flags::Ack, &[7; 1_400]);
    let large = tcp((CLIENT, 40_000), (SERVER, 445), Flags::Ack, &[7; 40_000]);
    sensor.kernel.rehearse(Entry::Xdp, &large, 20).unwrap();
    sensor.kernel.rehearse(Entry::Xdp, &small, runs).unwrap();
    sensor.kernel.rehearse(Entry::Xdp, &large, 20).unwrap();
    let counts = sensor.counts();
    assert_eq!(counts.get(Counter::Matched), u64::from(runs) + 40);
    assert!(counts.get(Counter::RingFull) > 0);
    assert_eq!(
        counts.get(Counter::Copied) + counts.get(Counter::RingFull),
        counts.get(Counter::Matched)
    );
    let captured = sensor.drain();
    assert_eq!(captured.len() as u64, counts.get(Counter::Copied));
    assert!(
        captured
            .iter()
            .all(|frame| frame.data == small || frame.data == large)
    );
    // With room again, frames flow again; one that was begun in vain is not mixed into them.
    assert!(sensor.takes(&large));
}

#[test]
fn the_stamp_is_the_system_s_time() {
    let mut sensor = Sensor::new();
    let (_, captured) = sensor.see(&udp(40_000, 88, b"now"));
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let off = (now.as_nanos() as u64).abs_diff(captured[0].time.as_nanos());
    assert!(off < 5_000_000_000, "{off} ns off");
}
