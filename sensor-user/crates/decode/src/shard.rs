//! Which of several decoders a frame belongs to.

use std::net::IpAddr;

use etherparse::LaxIpSlice;

use crate::frame::Frame;
use crate::link;

/// The number, below `shards`, of the decoder that a frame belongs to.
///
/// It is a hash of the pair of IP addresses, the same in both directions and without ports, so
/// that all fragments and all flows of a pair meet in one decoder. It is the same in every run. A
/// frame without IP addresses belongs to decoder 0.
pub fn shard(frame: &Frame<'_>, shards: u32) -> u32 {
    let Some((source, destination)) = addresses(frame) else {
        return 0;
    };
    // A sum is symmetric; unlike an exclusive or it does not make all of a subnet's pairs alike.
    let pair = spread(source).wrapping_add(spread(destination));
    // The upper bits of a product are the well-mixed ones.
    let hash = pair.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    u32::try_from(hash % u64::from(shards.max(1))).unwrap_or(0)
}

fn addresses(frame: &Frame<'_>) -> Option<(IpAddr, IpAddr)> {
    let (ip, _stopped) = LaxIpSlice::from_slice(link::ip_bytes(frame)?).ok()?;
    Some((ip.source_addr(), ip.destination_addr()))
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

    fn of(source: [u8; 4], destination: [u8; 4], port: u16) -> u32 {
        let mut data = Vec::new();
        PacketBuilder::ipv4(source, destination, 64)
            .udp(port, 88)
            .write(&mut data, b"")
            .unwrap();
        let frame = Frame {
            time: Timestamp::ZERO,
            origin: 0,
            link: LinkType::RawIp,
            wire_len: data.len() as u32,
            data: &data,
        };
        shard(&frame, 16)
    }

    #[test]
    fn both_directions_and_all_ports_meet() {
        for last in 0..=255 {
            let (one, two) = ([10, 0, 0, 1], [10, 0, 7, last]);
            assert_eq!(of(one, two, 1), of(two, one, 2));
        }
    }

    #[test]
    fn clients_of_one_server_are_spread() {
        let mut clients = BTreeMap::new();
        for last in 0..=255 {
            *clients
                .entry(of([10, 0, 0, 1], [10, 0, 7, last], 1))
                .or_insert(0) += 1;
        }
        assert_eq!(clients.len(), 16);
        assert!(clients.values().all(|&count| count < 40), "{clients:?}");
    }
}
