//! What the daemon needs no more is counted and left out, from its word on until the connection's
//! end or another's beginning.

use std::net::SocketAddr;
use std::sync::Arc;

use etherparse::IpNumber;
use goshawk_decode::{Decoder, Frame, Limits};
use goshawk_sensor::capture::kernel::{Entry, Settings};
use sensor_ebpf::{Counter, SHUNTS_MAX};

use crate::Sensor;
use crate::frames::{self, CLIENT, Flags, SERVER, tcp, tcp_at};

const LDAPS: u16 = 636;

fn ends(port: u16) -> [SocketAddr; 2] {
    [(CLIENT, port).into(), (SERVER, LDAPS).into()]
}

fn asked(port: u16, flags: Flags, payload: &[u8]) -> Vec<u8> {
    tcp((CLIENT, port), (SERVER, LDAPS), flags, payload)
}

fn answered(port: u16, flags: Flags, payload: &[u8]) -> Vec<u8> {
    tcp((SERVER, LDAPS), (CLIENT, port), flags, payload)
}

#[test]
fn a_shunted_connection_is_counted_and_left_out_in_both_directions() {
    let mut sensor = Sensor::new();
    let (question, answer) = (
        asked(40_000, Flags::Ack, b"sealed"),
        answered(40_000, Flags::Ack, b"sealed too"),
    );
    assert!(sensor.takes(&question) && sensor.takes(&answer));
    sensor.kernel.shunt(ends(40_000)).unwrap();
    for entry in [Entry::Xdp, Entry::TcIngress, Entry::TcEgress] {
        assert_eq!(sensor.see_at(entry, &question).1.len(), 0);
        assert_eq!(sensor.see_at(entry, &answer).1.len(), 0);
    }
    assert_eq!(sensor.count(Counter::Shunted), 6);
    let bytes = 3 * (question.len() + answer.len()) as u64;
    assert_eq!(sensor.count(Counter::ShuntedBytes), bytes);
    // Another connection of the same pair, and the same ports at another address.
    assert!(sensor.takes(&asked(40_001, Flags::Ack, b"clear")));
    let other = tcp(
        ([10, 0, 0, 8], 40_000),
        (SERVER, LDAPS),
        Flags::Ack,
        b"clear",
    );
    assert!(sensor.takes(&other));
}

#[test]
fn a_connection_s_edges_are_seen_and_end_the_shunt() {
    let mut sensor = Sensor::new();
    let more = asked(40_000, Flags::Ack, b"what follows");
    for flags in [Flags::Syn, Flags::Fin, Flags::Rst] {
        for edge in [asked(40_000, flags, b""), answered(40_000, flags, b"")] {
            sensor.kernel.shunt(ends(40_000)).unwrap();
            assert!(!sensor.takes(&more));
            assert!(sensor.takes(&edge));
            assert!(sensor.takes(&more));
        }
    }
}

#[test]
fn the_daemon_ends_a_shunt_and_may_name_the_ends_in_either_order() {
    let mut sensor = Sensor::new();
    let sealed = asked(40_000, Flags::Ack, b"sealed");
    let [client, server] = ends(40_000);
    sensor.kernel.shunt([server, client]).unwrap();
    assert!(!sensor.takes(&sealed));
    sensor.kernel.unshunt([client, server]).unwrap();
    assert!(sensor.takes(&sealed));
    // There is none any more.
    sensor.kernel.unshunt([client, server]).unwrap();
}

#[test]
fn more_shunts_than_there_is_room_for_push_out_others() {
    let mut sensor = Sensor::new();
    for number in 0..2 * SHUNTS_MAX {
        let client = SocketAddr::from(([10, 1, (number >> 8) as u8, number as u8], 40_000));
        sensor.kernel.shunt([client, ends(0)[1]]).unwrap();
    }
    sensor.kernel.shunt(ends(40_000)).unwrap();
    assert!(!sensor.takes(&asked(40_000, Flags::Ack, b"sealed")));
}

#[test]
fn nothing_is_shunted_where_that_is_not_wanted() {
    let mut sensor = Sensor::load(&Settings {
        shunt: false,
        ..Settings::default()
    });
    sensor.kernel.shunt(ends(40_000)).unwrap();
    assert!(sensor.takes(&asked(40_000, Flags::Ack, b"sealed")));
}

#[test]
fn behind_a_tap_the_connection_inside_is_shunted() {
    let mut sensor = Sensor::load(&Settings {
        drop: true,
        vxlan_port: Some(4789),
        ..Settings::default()
    });
    let inside = asked(40_000, Flags::Ack, b"sealed");
    let outside = frames::outside(IpNumber::UDP, &frames::vxlan(4789, &inside));
    assert_eq!(sensor.see(&outside).1.len(), 1);
    sensor.kernel.shunt(ends(40_000)).unwrap();
    assert_eq!(sensor.see(&outside).1.len(), 0);
    assert_eq!(sensor.see(&inside).1.len(), 0);
}

/// The whole way around: what the decoder says of what it saw comes back to the filter.
#[test]
fn the_decoder_s_word_keeps_a_connection_in_the_kernel() {
    let mut sensor = Sensor::new();
    let mut decoder = Decoder::new(Arc::from("test"), Limits::default()).with_shunts();
    let mut out = Vec::new();
    let hello = [&[22, 3, 1, 0, 43, 1, 0, 0, 39, 3, 3][..], &[0; 37]].concat();
    let (client, server) = ((CLIENT, 40_000), (SERVER, LDAPS));
    let (agreed, sealed) = ([22, 3, 3, 0, 4, 2, 0, 0, 0], [23, 3, 3, 0, 4, 9, 9, 9, 9]);
    let story = [
        tcp_at(999, client, server, Flags::Syn, b""),
        tcp_at(1000, client, server, Flags::Ack, &hello),
        tcp_at(7000, server, client, Flags::Ack, &agreed),
        tcp_at(1048, client, server, Flags::Ack, &sealed),
        tcp_at(7009, server, client, Flags::Ack, &sealed),
        tcp_at(1057, client, server, Flags::Fin, b""),
    ];
    let mut taken = Vec::new();
    for (origin, frame) in (1..).zip(&story) {
        let (_, captured) = sensor.see(frame);
        taken.push(captured.len());
        for copy in captured {
            let frame = Frame {
                time: copy.time,
                origin,
                link: copy.link,
                wire_len: copy.data.len() as u32,
                data: &copy.data,
            };
            decoder.frame(&frame, &mut out);
        }
        for ends in decoder.take_shunts() {
            sensor.kernel.shunt(ends).unwrap();
        }
    }
    assert_eq!(taken, [1, 1, 1, 0, 0, 1]);
    assert_eq!(sensor.count(Counter::Shunted), 2);
    assert_eq!(out.len(), 1);
}
