//! What taps make of packets: wrapped in tunnels, cut into fragments outside of them, shown twice.
//! The activities are the same.

mod support;

use std::sync::Arc;
use std::time::Duration;

use etherparse::{IpNumber, PacketBuilder};
use goshawk_decode::{Decoded, Decoder, Drop, Limits, LinkType, Protocol, Stats};

use support::{Packet, decode, decode_sharded, story};

/// The headers in front of what is inside, for each kind of tunnel; `false` where that is an IP
/// packet and not an Ethernet frame.
fn tunnels() -> Vec<(IpNumber, Vec<u8>, bool)> {
    let gre = |flags: u8, protocol: [u8; 2], behind: &[u8]| {
        (
            IpNumber::GRE,
            [&[flags, 0][..], &protocol, behind].concat(),
            protocol != [8, 0],
        )
    };
    let erspan3 = [0x20, 5, 0, 1, 0, 0, 0, 9, 0, 0, 0, 1];
    vec![
        (IpNumber::UDP, vec![8, 0, 0, 0, 0, 0, 5, 0], true),
        gre(0x00, [0x65, 0x58], &[]),
        gre(0x20, [0x65, 0x58], &[0, 0, 5, 7]),
        gre(0xa0, [0x08, 0x00], &[0xab, 0xcd, 0, 0, 0, 0, 5, 7]),
        gre(0x00, [0x88, 0xbe], &[]),
        gre(0x10, [0x88, 0xbe], &[0, 0, 0, 1, 0x10, 5, 0, 1, 0, 0, 0, 0]),
        gre(
            0x10,
            [0x22, 0xeb],
            &[&[0, 0, 0, 1], &erspan3[..], &[9; 8]].concat(),
        ),
    ]
}

/// The packet as `tunnel` carries it from one place of the network to the tap.
fn wrap(packet: &Packet, (protocol, headers, is_ethernet): &(IpNumber, Vec<u8>, bool)) -> Packet {
    let inside = &packet.data[if *is_ethernet { 0 } else { 14 }..];
    let payload = [headers, inside].concat();
    let outside = PacketBuilder::ethernet2([6; 6], [8; 6]).ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64);
    let mut data = Vec::new();
    if *protocol == IpNumber::UDP {
        outside.udp(40_000, 4789).write(&mut data, &payload)
    } else {
        outside.write(&mut data, *protocol, &payload)
    }
    .unwrap_or_default();
    Packet {
        wire_len: data.len() as u32,
        data,
        ..packet.clone()
    }
}

/// The fragments of an Ethernet frame's IPv4 packet, of at most `size` bytes each, in order.
fn cut(packet: &Packet, id: usize, size: usize) -> Vec<Packet> {
    let (header, payload) = packet.data.split_at(34);
    let count = payload.len().div_ceil(size);
    let parts = payload.chunks(size).enumerate().map(|(index, part)| {
        let place = (index * size / 8) as u16 | u16::from(index + 1 < count) << 13;
        let mut data = [header, part].concat();
        data[16..18].copy_from_slice(&(20 + part.len() as u16).to_be_bytes());
        data[18..20].copy_from_slice(&(id as u16).to_be_bytes());
        data[20..22].copy_from_slice(&place.to_be_bytes());
        Packet {
            wire_len: data.len() as u32,
            data,
            ..packet.clone()
        }
    });
    parts.collect()
}

/// What was done; fragments and copies have places in the order of packets, too.
fn kinds(found: &[Decoded]) -> Vec<String> {
    let kinds = found.iter().map(|it| format!("{:?}", it.activity.kind));
    kinds.collect()
}

fn drops(stats: &Stats) -> Vec<(&'static str, u64)> {
    stats.drops().filter(|(_, count)| *count > 0).collect()
}

#[test]
fn what_is_inside_a_tunnel_is_read_as_if_it_were_outside() {
    let packets = story::packets();
    let expected = decode(&packets).0;
    for tunnel in &tunnels() {
        let wrapped: Vec<_> = packets.iter().map(|packet| wrap(packet, tunnel)).collect();
        let (found, stats) = decode(&wrapped);
        assert_eq!(found, expected, "{tunnel:?}");
        assert_eq!(drops(&stats), []);
        assert_eq!(decode_sharded(&wrapped, 16), expected, "{tunnel:?}");
        // The frames of a VXLAN, mirrored by ERSPAN.
        let twice: Vec<_> = wrapped.iter().map(|packet| wrap(packet, tunnel)).collect();
        assert_eq!(decode(&twice).0, expected, "{tunnel:?}");
        let thrice: Vec<_> = twice.iter().map(|packet| wrap(packet, tunnel)).collect();
        assert_eq!(decode(&thrice).0, []);
    }
}

#[test]
fn a_tunnel_that_cuts_its_packets_into_fragments_is_read() {
    let packets = story::packets();
    let expected = decode(&packets).0;
    for tunnel in &tunnels() {
        let mut fragments = Vec::new();
        for (id, packet) in packets.iter().enumerate() {
            fragments.extend(cut(&wrap(packet, tunnel), id, 256));
        }
        assert!(fragments.len() > 2 * packets.len());
        let (found, stats) = decode(&fragments);
        assert_eq!(kinds(&found), kinds(&expected), "{tunnel:?}");
        assert_eq!(drops(&stats), []);
        assert_eq!(decode_sharded(&fragments, 16), found, "{tunnel:?}");
        fragments.remove(1);
        let name = Drop::FragmentTimeout.name();
        assert_eq!(drops(&decode(&fragments).1), [(name, 1)]);
    }
}

#[test]
fn where_packets_are_not_mirrored_to_nobody_looks_into_tunnels() {
    for tunnel in &tunnels() {
        let mut decoder = Decoder::new(Arc::from("test"), Limits::default());
        let mut out = Vec::new();
        for (origin, packet) in story::packets().iter().enumerate() {
            decoder.frame(&wrap(packet, tunnel).frame(origin as u64), &mut out);
        }
        decoder.finish(&mut out);
        assert_eq!(out, []);
    }
}

/// What is counted of each protocol.
fn messages(stats: &Stats) -> Vec<u64> {
    Protocol::ALL
        .map(|protocol| stats.protocol(protocol).messages)
        .to_vec()
}

#[test]
fn a_packet_shown_twice_counts_once() {
    let packets = story::packets();
    let (expected, stats) = decode(&packets);
    // Of TCP each byte counts once by its place in the stream.
    let is_udp = |packet: &&Packet| packet.data[23] == 17;
    let datagrams = packets.iter().filter(is_udp).count() as u64;
    let copies: [fn(&Packet) -> Packet; 3] = [
        |packet| packet.clone(),
        // Behind a router.
        |packet| {
            let mut copy = packet.clone();
            copy.data[6..12].fill(0x0a);
            copy.data[22] -= 1;
            copy.data[24] = copy.data[24].wrapping_add(1);
            copy
        },
        // Mirrored by a second switch, in a tunnel.
        |packet| wrap(packet, &tunnels()[6]),
    ];
    for copy in copies {
        let twice: Vec<_> = packets
            .iter()
            .flat_map(|packet| {
                let mut copy = copy(packet);
                copy.time = copy.time + Duration::from_micros(300);
                [packet.clone(), copy]
            })
            .collect();
        let (found, counted) = decode(&twice);
        assert_eq!(kinds(&found), kinds(&expected));
        assert_eq!(messages(&counted), messages(&stats));
        let name = Drop::Duplicate.name();
        assert_eq!(drops(&counted), [(name, datagrams)]);
        assert_eq!(decode_sharded(&twice, 16), found);
    }
}

#[test]
fn a_packet_that_comes_again_later_is_no_copy() {
    let mut packets = story::packets();
    packets.truncate(4);
    let messages = decode(&packets).1.protocol(Protocol::Kerberos).messages;
    let later = packets.clone().into_iter().map(|mut packet| {
        packet.time = packet.time + Duration::from_millis(60);
        packet
    });
    packets.extend(later);
    let (_, stats) = decode(&packets);
    assert_eq!(stats.protocol(Protocol::Kerberos).messages, 2 * messages);
    assert_eq!(drops(&stats), []);
}

#[test]
fn a_tunnel_in_any_link_layer_is_found() {
    let packets = story::packets();
    let expected = decode(&packets).0;
    let raw: Vec<_> = packets
        .iter()
        .map(|packet| {
            let mut packet = wrap(packet, &tunnels()[0]);
            packet.data.drain(..14);
            packet.wire_len -= 14;
            packet.link = LinkType::RawIp;
            packet
        })
        .collect();
    assert_eq!(decode(&raw).0, expected);
}
