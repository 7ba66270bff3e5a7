//! Which of several decoders a frame belongs to.

use std::net::IpAddr;

use lru::LruCache;

use crate::flow::fragments;
use crate::frame::Frame;
use crate::link::{self, MAX_DEPTH, Tunnels};

/// Deals frames to decoders.
///
/// A frame's decoder is a hash of the pair of IP addresses, the innermost one where there are
/// tunnels: the same in both directions and without ports, so that all fragments and all flows of a
/// pair meet in one decoder. It is the same in every run. A frame without IP addresses belongs to
/// decoder 0.
///
/// Of a tunnel's packet that was cut into fragments, only the first shows the pair inside; the others
/// follow it, as they do in the kernel.
pub struct Sharder {
    shards: u32,
    tunnels: Tunnels,
    /// Where the first fragments of tunnels' packets went.
    followed: LruCache<fragments::Key, u32>,
}

/// Fragmented packets of tunnels that are followed at once. Of one that made room, the later
/// fragments go astray, and what is there of it is counted when its time runs out.
const MAX_FOLLOWED: usize = 4096;

impl Sharder {
    /// Deals to `shards` decoders, by what is inside tunnels if these are open.
    pub fn new(shards: u32, tunnels: Tunnels) -> Self {
        Self {
            shards: shards.max(1),
            tunnels,
            followed: LruCache::unbounded(),
        }
    }

    /// The number of the decoder that a frame belongs to.
    pub fn shard(&mut self, frame: &Frame<'_>) -> u32 {
        self.innermost(frame, MAX_DEPTH)
    }

    fn innermost(&mut self, frame: &Frame<'_>, depth: usize) -> u32 {
        let Ok(packet) = link::ip_packet(frame) else {
            return 0;
        };
        let by_pair = || hash(packet.source, packet.destination, self.shards);
        if self.tunnels == Tunnels::Closed || depth == 0 {
            return by_pair();
        }
        let fragment = packet
            .fragment
            .map(|fragment| (fragments::Key::of(&packet, fragment), fragment.offset));
        if let Some((key, 1..)) = fragment {
            return self.followed.peek(&key).copied().unwrap_or_else(by_pair);
        }
        let inside = self.tunnels.inside(&packet).map(|(link, data)| Frame {
            link,
            data,
            ..*frame
        });
        let shard = match &inside {
            Some(inner) => self.innermost(inner, depth - 1),
            None => by_pair(),
        };
        if let Some((key, _)) = fragment {
            self.follow(key, inside.map(|_| shard));
        }
        shard
    }

    /// The fragments behind a first one go where it went, if it is a tunnel's. Its identification may
    /// have been another's before.
    fn follow(&mut self, first: fragments::Key, shard: Option<u32>) {
        let Some(shard) = shard else {
            self.followed.pop(&first);
            return;
        };
        self.followed.put(first, shard);
        if self.followed.len() > MAX_FOLLOWED {
            self.followed.pop_lru();
        }
    }
}

fn hash(source: IpAddr, destination: IpAddr, shards: u32) -> u32 {
    // A sum is symmetric; unlike an exclusive or it does not make all of a subnet's pairs alike.
    let pair = spread(source).wrapping_add(spread(destination));
    // The upper bits of a product are the well-mixed ones.
    let hash = pair.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    u32::try_from(hash % u64::from(shards)).unwrap_or(0)
}

fn spread(address: IpAddr) -> u64 {
    let word = match address {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            (bits >> 64) as u64 ^ (bits as u64).rotate_left(17)
        }
    };
    // The finalizer of splitmix64.
    let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use etherparse::PacketBuilder;
    use goshawk_model::Timestamp;

    use super::*;
    use crate::LinkType;

    const VXLAN: Tunnels = Tunnels::Open {
        vxlan_port: Tunnels::VXLAN_PORT,
    };

    fn udp(source: [u8; 4], destination: [u8; 4], port: u16, payload: &[u8]) -> Vec<u8> {
        let mut packet = Vec::new();
        PacketBuilder::ipv4(source, destination, 64)
            .udp(40_000, port)
            .write(&mut packet, payload)
            .unwrap();
        packet
    }

    /// VXLAN around an Ethernet frame of an IPv4 packet.
    fn tunneled(packet: &[u8]) -> Vec<u8> {
        let vxlan = [8, 0, 0, 0, 0, 0, 5, 0];
        let ethernet = [2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0];
        let payload = [&vxlan[..], &ethernet, packet].concat();
        udp([192, 0, 2, 1], [192, 0, 2, 2], 4789, &payload)
    }

    /// The fragments of an IPv4 packet, in order.
    fn cut(packet: &[u8], id: u16, size: usize) -> Vec<Vec<u8>> {
        let (header, payload) = packet.split_at(20);
        let count = payload.len().div_ceil(size);
        let parts = payload.chunks(size).enumerate().map(|(index, part)| {
            let offset = (index * size / 8) as u16 | u16::from(index + 1 < count) << 13;
            let mut fragment = [header, part].concat();
            fragment[2..4].copy_from_slice(&(20 + part.len() as u16).to_be_bytes());
            fragment[4..6].copy_from_slice(&id.to_be_bytes());
            fragment[6..8].copy_from_slice(&offset.to_be_bytes());
            fragment
        });
        parts.collect()
    }

    fn of(sharder: &mut Sharder, data: &[u8]) -> u32 {
        sharder.shard(&Frame {
            time: Timestamp::ZERO,
            origin: 0,
            link: LinkType::RawIp,
            wire_len: data.len() as u32,
            data,
        })
    }

    #[test]
    fn both_directions_and_all_ports_meet_in_a_tunnel_or_not() {
        let mut sharder = Sharder::new(16, VXLAN);
        for last in 0..=255 {
            let (one, two) = ([10, 0, 0, 1], [10, 0, 7, last]);
            let there = of(&mut sharder, &udp(one, two, 88, b""));
            let back = udp(two, one, 89, b"");
            assert_eq!(of(&mut sharder, &back), there);
            assert_eq!(of(&mut sharder, &tunneled(&back)), there);
            assert_eq!(of(&mut sharder, &tunneled(&tunneled(&back))), there);
        }
    }

    #[test]
    fn clients_of_one_server_are_spread() {
        let mut sharder = Sharder::new(16, VXLAN);
        let mut clients = BTreeMap::new();
        for last in 0..=255 {
            let packet = udp([10, 0, 0, 1], [10, 0, 7, last], 88, b"");
            *clients.entry(of(&mut sharder, &packet)).or_insert(0) += 1;
        }
        assert_eq!(clients.len(), 16);
        assert!(clients.values().all(|&count| count < 40), "{clients:?}");
    }

    #[test]
    fn fragments_of_a_tunnel_s_packet_follow_the_first() {
        let mut sharder = Sharder::new(16, VXLAN);
        for last in 0..=255 {
            let packet = udp([10, 0, 0, 1], [10, 0, 7, last], 88, &[7; 200]);
            let expected = of(&mut sharder, &packet);
            for fragment in cut(&tunneled(&packet), last.into(), 96) {
                assert_eq!(of(&mut sharder, &fragment), expected);
            }
        }
        let mut closed = Sharder::new(16, Tunnels::Closed);
        let packet = udp([10, 0, 0, 1], [10, 0, 7, 9], 88, &[7; 200]);
        let outside = of(&mut closed, &udp([192, 0, 2, 2], [192, 0, 2, 1], 1, b""));
        for fragment in cut(&tunneled(&packet), 1, 96) {
            assert_eq!(of(&mut closed, &fragment), outside);
        }
    }

    #[test]
    fn an_identification_used_again_follows_its_new_first() {
        let mut sharder = Sharder::new(16, VXLAN);
        let inside = |last| udp([10, 0, 0, 1], [10, 0, 7, last], 88, &[7; 200]);
        let plain = udp([192, 0, 2, 1], [192, 0, 2, 2], 88, &[7; 200]);
        let outside = of(&mut sharder, &plain);
        for last in 0..=255 {
            let expected = of(&mut sharder, &inside(last));
            for fragment in cut(&tunneled(&inside(last)), 7, 96) {
                assert_eq!(of(&mut sharder, &fragment), expected);
            }
            for fragment in cut(&plain, 7, 96) {
                assert_eq!(of(&mut sharder, &fragment), outside);
            }
        }
    }

    #[test]
    fn a_flood_of_fragments_is_followed_within_bounds() {
        let mut sharder = Sharder::new(16, VXLAN);
        let packet = tunneled(&udp([10, 0, 0, 1], [10, 0, 7, 9], 88, &[7; 200]));
        for id in 0..=u16::MAX {
            of(&mut sharder, &cut(&packet, id, 96)[0]);
        }
        assert_eq!(sharder.followed.len(), MAX_FOLLOWED);
    }
}
