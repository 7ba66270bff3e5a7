//! TCP as it really is: cut anywhere, out of order, twice, with holes, from the middle. The
//! activities are the same as long as the bytes are there.

mod support;

use std::time::Duration;

use goshawk_decode::{Decoded, Drop, Limits, Protocol};
use goshawk_model::Kind;
use goshawk_model::rpc::DRSUAPI;
use proptest::collection::vec;
use proptest::prelude::*;

use support::messages::{Pdu, as_req, record};
use support::wire::{Wire, payload_start, slice};
use support::{Packet, captures_of, decode, decode_all, decode_all_sharded, read, story};

/// What must not depend on how the bytes were cut: everything but ids and places in the order.
fn essence(decoded: &[Decoded]) -> Vec<String> {
    let mut all: Vec<_> = decoded
        .iter()
        .map(|decoded| {
            let it = &decoded.activity;
            format!(
                "{} {} {:?} {:?} {:?}",
                it.time, it.flow, it.actor, it.outcome, it.kind
            )
        })
        .collect();
    all.sort();
    all
}

/// Splits packets into bursts: data of one direction of one flow in a row. All packets of a burst
/// get the time of its last, so that the order within does not show.
fn bursts(packets: &[Packet]) -> Vec<Vec<Packet>> {
    let mut bursts: Vec<(Vec<u8>, Vec<Packet>)> = Vec::new();
    for packet in packets {
        let key = match payload_start(packet) {
            // Addresses and ports; an IPv4 header without options.
            Some(_) => packet.data.get(26..38).unwrap_or_default().to_vec(),
            None => Vec::new(),
        };
        match bursts.last_mut() {
            Some((last, burst)) if !key.is_empty() && *last == key => burst.push(packet.clone()),
            _ => bursts.push((key, vec![packet.clone()])),
        }
    }
    let mut bursts: Vec<_> = bursts.into_iter().map(|(_, burst)| burst).collect();
    for burst in &mut bursts {
        let time = burst.last().map(|last| last.time).unwrap_or_default();
        for packet in burst {
            packet.time = time;
        }
    }
    bursts
}

/// How to maltreat a conversation, drawn from for each packet in turn.
#[derive(Clone, Debug)]
struct Mischief {
    cuts: Vec<prop::sample::Index>,
    order: Vec<usize>,
    repeats: Vec<bool>,
}

fn mischief() -> impl Strategy<Value = Mischief> {
    (
        vec(any::<prop::sample::Index>(), 40),
        vec(0..6usize, 40),
        vec(prop::bool::weighted(0.3), 40),
    )
        .prop_map(|(cuts, order, repeats)| Mischief {
            cuts,
            order,
            repeats,
        })
}

fn maltreat(bursts: &[Vec<Packet>], mischief: &Mischief) -> Vec<Packet> {
    let mut out = Vec::new();
    let mut draws = 0..;
    for burst in bursts {
        let mut pieces = Vec::new();
        for packet in burst {
            let Some(start) = payload_start(packet) else {
                pieces.push(packet.clone());
                continue;
            };
            let end = etherparse::SlicedPacket::from_ethernet(&packet.data)
                .ok()
                .and_then(|sliced| match sliced.transport {
                    Some(etherparse::TransportSlice::Tcp(tcp)) => Some(tcp.payload().len()),
                    _ => None,
                })
                .unwrap_or_default();
            let draw: usize = draws.next().unwrap_or_default();
            let cut = mischief.cuts[draw % mischief.cuts.len()].index(end + 1);
            for (from, to) in [(0, cut), (cut, end)] {
                if from < to {
                    pieces.push(slice(packet, start, from, to));
                    if mischief.repeats[(draw + from) % mischief.repeats.len()] {
                        // A retransmission that reaches further back.
                        pieces.push(slice(packet, start, from / 2, to));
                    }
                }
            }
        }
        if pieces.len() > 1 {
            for at in 0..pieces.len() {
                let draw: usize = draws.next().unwrap_or_default();
                let to = (at + mischief.order[draw % mischief.order.len()]) % pieces.len();
                pieces.swap(at, to);
            }
        }
        out.extend(pieces);
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn segmentation_order_and_repetition_do_not_matter(mischief in mischief()) {
        let bursts = bursts(&story::packets());
        let expected = essence(&decode(&bursts.concat()).0);
        prop_assert_eq!(expected.len(), 18);
        let (found, stats) = decode(&maltreat(&bursts, &mischief));
        prop_assert_eq!(essence(&found), expected);
        // A repetition that reaches no further back is a copy.
        let lost = stats.drops().filter(|(name, _)| *name != Drop::Duplicate.name());
        prop_assert_eq!(lost.map(|(_, count)| count).sum::<u64>(), 0);
    }
}

#[test]
fn real_conversations_survive_byte_sized_segments_in_reverse() {
    for path in captures_of("zerologon") {
        let packets = read(&path).unwrap();
        let bursts = bursts(&packets[..packets.len().min(300)]);
        let expected = essence(&decode(&bursts.concat()).0);
        let mut pieces = Vec::new();
        for burst in &bursts {
            let before = pieces.len();
            for packet in burst {
                match payload_start(packet) {
                    Some(start) if packet.data.len() - start < 400 => {
                        let length = packet.data.len() - start;
                        pieces.extend((0..length).map(|at| slice(packet, start, at, at + 1)));
                    }
                    _ => pieces.push(packet.clone()),
                }
            }
            pieces[before..].reverse();
        }
        assert_eq!(essence(&decode(&pieces).0), expected);
    }
}

#[test]
fn work_shared_by_address_pair_gives_the_same_activities() {
    let packets = story::packets();
    let alone = |packets: &[Packet]| decode_all(packets, Limits::default()).0;
    assert_eq!(decode_all_sharded(&packets, 16), alone(&packets));
    for path in captures_of("kinit") {
        let packets = read(&path).unwrap();
        assert_eq!(decode_all_sharded(&packets, 16), alone(&packets));
    }
}

#[test]
fn a_mirror_port_that_shows_everything_twice_changes_nothing() {
    let packets = story::packets();
    let twice: Vec<_> = packets
        .iter()
        .flat_map(|packet| [packet.clone(), packet.clone()])
        .collect();
    assert_eq!(essence(&decode(&twice).0), essence(&decode(&packets).0));
}

/// The calls of `drsuapi` in what was decoded, as opnums.
fn replication(decoded: &[Decoded]) -> Vec<u16> {
    decoded
        .iter()
        .filter_map(|decoded| match &decoded.activity.kind {
            Kind::Rpc(call) if decoded.activity.flow.server.port() == story::DRSUAPI_PORT => {
                Some(call.opnum)
            }
            _ => None,
        })
        .collect()
}

#[test]
fn any_one_packet_may_be_missing() {
    let mut wire = Wire::new();
    story::replication(&mut wire);
    for missing in 0..wire.packets.len() {
        let mut packets = wire.packets.clone();
        packets.remove(missing);
        let (found, _) = decode(&packets);
        let calls = replication(&found);
        // At most the request that was in the packet is lost.
        assert!(calls.len() >= 2, "without packet {missing}: {calls:?}");
    }
}

#[test]
fn a_conversation_is_picked_up_from_any_packet_on() {
    let mut wire = Wire::new();
    story::endpoint(&mut wire);
    let mapped = wire.packets.len();
    story::replication(&mut wire);
    // SYN, SYN-ACK, bind, bind_ack; from there on the interface is known from the mapper alone.
    let (found, _) = decode(&[&wire.packets[..mapped], &wire.packets[mapped + 4..]].concat());
    assert_eq!(replication(&found), [0, 3, 12]);
    for decoded in &found {
        if let Kind::Rpc(call) = &decoded.activity.kind
            && decoded.activity.flow.server.port() == story::DRSUAPI_PORT
        {
            assert_eq!(call.interface, Some(DRSUAPI));
            assert_eq!(decoded.activity.confidence, goshawk_model::Confidence::Low);
        }
    }
}

#[test]
fn a_length_in_a_segment_of_its_own_belongs_to_what_follows() {
    for server in [88, 4_000] {
        let mut wire = Wire::new();
        let mut tcp = wire.open(50_004, server);
        // Its beginning is not seen.
        wire.packets.clear();
        for _ in 0..3 {
            let request = record(&as_req("alice", &[2, 128], &[18, 23]));
            wire.ask(&mut tcp, &request[..4]);
            wire.ask(&mut tcp, &request[4..]);
        }
        let (found, stats) = decode(&wire.packets);
        assert_eq!(found.len(), 3);
        assert_eq!(stats.protocol(Protocol::Kerberos).messages, 3);
    }
}

#[test]
fn a_request_on_the_syn_is_read_once() {
    let bind = Pdu::bind(1, DRSUAPI).bytes();
    for is_taken in [true, false] {
        let mut wire = Wire::new();
        let mut tcp = wire.open_fast((50_004, story::DRSUAPI_PORT), &bind);
        if !is_taken {
            tcp = tcp.unsent(bind.len());
            wire.ask(&mut tcp, &bind);
        }
        wire.answer(&mut tcp, &Pdu::bind_ack(1).bytes());
        wire.ask(&mut tcp, &Pdu::request(2, 3, &[0; 40]).bytes());
        wire.answer(&mut tcp, &Pdu::response(2, &[0; 40]).bytes());
        let (found, stats) = decode(&wire.packets);
        assert_eq!(replication(&found), [3]);
        assert_eq!(stats.protocol(Protocol::Dcerpc).messages, 4);
    }
}

#[test]
fn each_side_alone_tells_what_it_can() {
    let packets = story::packets();
    for (side, expected) in [
        (support::wire::CLIENT, vec![0, 3, 12]),
        (support::wire::SERVER, vec![]),
    ] {
        let mut half = packets.clone();
        half.retain(|packet| packet.data[26..30] == side);
        let (found, _) = decode(&half);
        assert_eq!(replication(&found), expected);
        assert!(
            found
                .iter()
                .any(|it| matches!(it.activity.kind, Kind::As(_)))
        );
        assert!(
            found
                .iter()
                .any(|it| matches!(it.activity.kind, Kind::Tgs(_)))
        );
    }
}

#[test]
fn ports_used_again_are_a_new_connection() {
    let mut wire = Wire::new();
    story::replication(&mut wire);
    let once = wire.packets.clone();
    story::replication(&mut wire);
    let twice = [0, 3, 12, 0, 3, 12];
    assert_eq!(replication(&decode(&wire.packets).0), twice);
    // Where the end of the first, two FINs, was not seen.
    wire.packets.drain(once.len() - 2..once.len());
    assert_eq!(replication(&decode(&wire.packets).0), twice);
    // Where the second has the sequence numbers of the first: a recording played again.
    let mut again = once.clone();
    for packet in &mut again {
        packet.time = packet.time + Duration::from_secs(20);
    }
    assert_eq!(replication(&decode(&[once, again].concat()).0), twice);
}

#[test]
fn forged_resets_and_syns_do_not_make_us_forget() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_004, story::DRSUAPI_PORT);
    wire.ask(&mut tcp, &Pdu::bind(1, DRSUAPI).bytes());
    wire.answer(&mut tcp, &Pdu::bind_ack(1).bytes());
    wire.reset(&tcp, 5000);
    wire.open(50_004, story::DRSUAPI_PORT);
    // Its SYN-ACK is the server's alone to send.
    wire.packets.pop();
    wire.ask(&mut tcp, &Pdu::request(2, 3, &[0; 40]).bytes());
    wire.answer(&mut tcp, &Pdu::response(2, &[0; 40]).bytes());
    let (found, _) = decode(&wire.packets);
    let Kind::Rpc(call) = &found[0].activity.kind else {
        panic!("{found:?}");
    };
    assert_eq!((call.interface, call.opnum), (Some(DRSUAPI), 3));
}

#[test]
fn what_is_not_answered_is_told_at_its_deadline() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_004, story::DRSUAPI_PORT);
    wire.ask(&mut tcp, &Pdu::bind(1, DRSUAPI).bytes());
    wire.ask(&mut tcp, &Pdu::request(2, 3, &[0; 40]).bytes());
    let asked = wire.time;
    wire.wait(Duration::from_secs(60));
    wire.ask(&mut tcp, &Pdu::request(3, 0, &[0; 40]).bytes());
    let (found, _) = decode(&wire.packets);
    assert_eq!(found[0].activity.time, asked + Duration::from_secs(10));
    assert_eq!(found[0].activity.outcome, goshawk_model::Outcome::Unknown);
    assert_eq!(found[0].origin, 3);
    assert_eq!(replication(&found), [3, 0]);
}
