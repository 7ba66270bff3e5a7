//! Packets as captures really hold them: larger than any wire, cut, fragmented, tagged on one side
//! only, over IPv6.

mod support;

use etherparse::PacketBuilder;
use goshawk_decode::{Decoded, Drop, LinkType, Protocol};
use goshawk_model::dns::rtype;
use goshawk_model::rpc::DRSUAPI;
use goshawk_model::{Kind, Outcome};

use support::dns::{ANSWER, Dns, IN};
use support::messages::*;
use support::wire::{CLIENT, SERVER, Wire};
use support::{Packet, decode, story};

/// Opnum, bytes asked and bytes answered of each call.
fn calls(decoded: &[Decoded]) -> Vec<(u16, u32, u64)> {
    decoded
        .iter()
        .filter_map(|it| match &it.activity.kind {
            Kind::Rpc(call) => Some((call.opnum, call.request_bytes, call.response_bytes)),
            _ => None,
        })
        .collect()
}

fn replication() -> Vec<Packet> {
    let mut wire = Wire::new();
    story::replication(&mut wire);
    wire.packets
}

/// The IP packet in an Ethernet frame.
fn ip(packet: &Packet) -> &[u8] {
    &packet.data[14..]
}

#[test]
fn a_frame_of_200_kb_is_read_whole() {
    // What TC egress sees with segmentation offload: one frame, its IP length 0.
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_004, story::DRSUAPI_PORT);
    wire.ask(&mut tcp, &Pdu::bind(1, DRSUAPI).bytes());
    wire.answer(&mut tcp, &Pdu::bind_ack(1).bytes());
    wire.ask(&mut tcp, &Pdu::request(2, 3, &[0; 40]).bytes());
    let fragment = |index: usize| {
        let flags = u8::from(index == 0) | u8::from(index == 49) << 1;
        Pdu::response(2, &[7; 4000]).flagged(flags).bytes()
    };
    let reply: Vec<u8> = (0..50).flat_map(fragment).collect();
    wire.answer(&mut tcp, &reply[..1]);
    let packet = wire.packets.last_mut().unwrap();
    packet.data.truncate(54);
    packet.data[16..18].fill(0);
    packet.data.extend(&reply);
    packet.wire_len = packet.data.len() as u32;
    assert!(packet.wire_len > 200_000);
    let (found, stats) = decode(&wire.packets);
    assert_eq!(calls(&found), [(3, 40, 200_000)]);
    assert_eq!(stats.drops().map(|(_, count)| count).sum::<u64>(), 0);
}

#[test]
fn a_capture_with_a_short_snaplen_still_tells_the_calls() {
    let mut packets = replication();
    for packet in &mut packets {
        packet.data.truncate(120);
    }
    let (found, stats) = decode(&packets);
    let opnums: Vec<_> = calls(&found).into_iter().map(|(opnum, ..)| opnum).collect();
    assert_eq!(opnums, [0, 3, 12]);
    assert!(found.iter().all(|it| match &it.activity.kind {
        Kind::Rpc(call) => call.interface == Some(DRSUAPI),
        _ => true,
    }));
    assert!(stats.dropped(Drop::CutPacket) > 0);
}

#[test]
fn a_first_fragment_that_was_cut_is_read_as_far_as_it_goes() {
    let host = |flags| Dns::new(7, flags).question("ws1.corp.example", (rtype::TXT, IN));
    let answer = host(ANSWER).record(1, "ws1.corp.example", (rtype::TXT, IN), &[b'a'; 1400]);
    let mut wire = Wire::new();
    wire.udp((SERVER, 53), (CLIENT, 50_001), &answer.bytes());
    let packet = wire.packets.last_mut().unwrap();
    // More fragments to come, and a snaplen of 120.
    packet.data[14 + 6] = 0x20;
    packet.data.truncate(120);
    let (found, stats) = decode(&wire.packets);
    let counts = stats.protocol(Protocol::Dns);
    assert_eq!((found.len(), counts.messages, counts.errors), (1, 1, 0));
}

#[test]
fn a_fragmented_datagram_is_one_message() {
    let mut wire = Wire::new();
    story::logon(&mut wire);
    let last = wire.packets.pop().unwrap();
    let (header, payload) = ip(&last).split_at(20);
    let (first, second) = payload.split_at(640);
    for (offset, more, part) in [(640u16, false, second), (0, true, first)] {
        let mut data = last.data[..14].to_vec();
        let mut header = header.to_vec();
        header[2..4].copy_from_slice(&(20 + part.len() as u16).to_be_bytes());
        let place = (offset / 8) | (u16::from(more) << 13);
        header[6..8].copy_from_slice(&place.to_be_bytes());
        data.extend(header);
        data.extend(part);
        wire.packets.push(Packet {
            wire_len: data.len() as u32,
            data,
            ..last.clone()
        });
    }
    let (found, _) = decode(&wire.packets);
    assert_eq!(found.len(), 2);
    assert_eq!(found[1].activity.outcome, Outcome::Success);
}

#[test]
fn a_vlan_tag_in_one_direction_does_not_split_a_flow() {
    let expected = calls(&decode(&replication()).0);
    let mut packets = replication();
    for packet in &mut packets {
        if packet.data[26..30] == CLIENT {
            packet.data.splice(12..12, [0x81, 0x00, 0x00, 0x05]);
            packet.wire_len += 4;
        }
    }
    assert_eq!(calls(&decode(&packets).0), expected);
}

#[test]
fn every_link_layer_carries_the_same() {
    let expected = calls(&decode(&replication()).0);
    for (link, head) in [
        (LinkType::RawIp, vec![]),
        (LinkType::Null, vec![2, 0, 0, 0]),
        (LinkType::LinuxSll, [&[0; 14][..], &[8, 0]].concat()),
        (LinkType::LinuxSll2, [&[8, 0][..], &[0; 18]].concat()),
    ] {
        let mut packets = replication();
        for packet in &mut packets {
            packet.data = [&head, ip(packet)].concat();
            packet.wire_len = packet.data.len() as u32;
            packet.link = link;
        }
        assert_eq!(calls(&decode(&packets).0), expected, "{link:?}");
    }
}

#[test]
fn keep_alives_are_no_data() {
    let mut wire = Wire::new();
    let mut tcp = wire.open(50_004, story::DRSUAPI_PORT);
    wire.ask(&mut tcp, &Pdu::bind(1, DRSUAPI).bytes());
    wire.answer(&mut tcp, &Pdu::bind_ack(1).bytes());
    // The last byte once more, as Windows does, but another one.
    let bind = wire.packets[2].clone();
    let mut again = bind.clone();
    again.data.truncate(55);
    let length = bind.data.len() as u32 - 54;
    let sequence = u32::from_be_bytes(bind.data[38..42].try_into().unwrap()) + length - 1;
    again.data[38..42].copy_from_slice(&sequence.to_be_bytes());
    again.data[16..18].copy_from_slice(&41u16.to_be_bytes());
    again.data[54] ^= 0xff;
    again.wire_len = 55;
    wire.packets.push(again);
    wire.ask(&mut tcp, &Pdu::request(2, 3, &[0; 40]).bytes());
    wire.answer(&mut tcp, &Pdu::response(2, &[0; 40]).bytes());
    let (found, stats) = decode(&wire.packets);
    assert_eq!(calls(&found), [(3, 40, 40)]);
    assert_eq!(stats.drops().map(|(_, count)| count).sum::<u64>(), 0);
}

#[test]
fn ipv6_is_read_like_ipv4() {
    let (client, kdc) = ([0xfd; 16], [0xfc; 16]);
    let mut wire = Wire::new();
    let asked = as_req("alice", &[2], &[18]);
    wire.udp((CLIENT, 50_001), (SERVER, 88), &asked);
    let mut data = Vec::new();
    PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv6(client, kdc, 64)
        .udp(50_001, 88)
        .write(&mut data, &asked)
        .unwrap();
    let packet = Packet {
        wire_len: data.len() as u32,
        data,
        ..wire.packets[0].clone()
    };
    let (found, _) = decode(&[packet]);
    assert_eq!(found[0].activity.client.ip, std::net::IpAddr::from(client));
    assert!(matches!(found[0].activity.kind, Kind::As(_)));
}
