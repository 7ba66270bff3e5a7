//! The contract between the kernel program and the daemon, and the parts of the program that
//! need no kernel: reading headers ([`parse`]), looking into tunnels ([`tunnel`]) and recognising
//! protocols ([`recognise`]). Both
//! sides compile this crate, so a layout or a name cannot drift apart; the host runs its tests.
#![cfg_attr(not(test), no_std)]

mod counters;
mod header;
pub mod parse;
pub mod recognise;
mod settings;
pub mod tunnel;

pub use counters::{COUNTERS, Counter};
pub use header::{Direction, HEADER_LEN, Header, Link};
pub use settings::{
    CLOSED, DEFAULT_PORTS, FRAGMENTS_MAX, LEARNED_MAX, MAX_FRAME, MAX_WORKERS, PORT_WORDS, Ports,
    SHUNTS_MAX,
};

/// An IP address as four words, its bytes in network order as they lie in the packet; IPv4 is
/// mapped into IPv6 (RFC 4291 2.5.5.2), so that one key serves both.
pub type Address = [u32; 4];

/// Key of an endpoint in the kernel's table: its address, then its port. An array of words,
/// because it must have no padding: the kernel compares keys byte by byte.
pub type Endpoint = [u32; 5];

/// Key of a TCP connection in the kernel's table of shunts, the same in both directions: its two
/// ends in a fixed order, then their ports. Words again, for there must be no padding.
pub type Connection = [u32; 9];

/// Maps an IPv4 address, given as it lies in the packet, into an [`Address`].
#[inline(always)]
pub const fn mapped(v4: [u8; 4]) -> Address {
    [
        0,
        0,
        u32::from_ne_bytes([0, 0, 0xff, 0xff]),
        u32::from_ne_bytes(v4),
    ]
}

/// Splits an IPv6 address, given as it lies in the packet, into an [`Address`].
#[inline(always)]
pub const fn words(v6: [u8; 16]) -> Address {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = v6;
    [
        u32::from_ne_bytes([a, b, c, d]),
        u32::from_ne_bytes([e, f, g, h]),
        u32::from_ne_bytes([i, j, k, l]),
        u32::from_ne_bytes([m, n, o, p]),
    ]
}

/// The key of `port` at `address`.
#[inline(always)]
pub const fn endpoint(address: Address, port: u16) -> Endpoint {
    [address[0], address[1], address[2], address[3], port as u32]
}

/// The key of the connection between two ends, whichever of them sends.
#[inline(always)]
pub const fn connection(one: Endpoint, other: Endpoint) -> Connection {
    let mut i = 0;
    while i < one.len() - 1 && one[i] == other[i] {
        i += 1;
    }
    let ([a, b, c, d, port], [e, f, g, h, peer]) = if one[i] <= other[i] {
        (one, other)
    } else {
        (other, one)
    };
    [a, b, c, d, e, f, g, h, port << 16 | peer]
}

/// Which of `workers` owns all traffic between two addresses, in either direction. Ports stay
/// out of it, so that fragments, which have none, meet the rest of their flow.
#[inline(always)]
pub const fn worker(one: Address, other: Address, workers: u32) -> u32 {
    // Each address is spread before the two are joined: a plain XOR would give all pairs of a
    // subnet that differ in the same bits one worker. The sum makes it symmetric.
    let sum = spread(one).wrapping_add(spread(other));
    let hash = (sum ^ (sum >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    ((hash * workers as u64) >> 32) as u32
}

#[inline(always)]
const fn spread(address: Address) -> u64 {
    let high = ((address[0] as u64) << 32) | address[1] as u64;
    let low = ((address[2] as u64) << 32) | address[3] as u64;
    let mixed =
        (high.wrapping_mul(0xff51_afd7_ed55_8ccd) ^ low).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_have_one_worker() {
        for last in 0..=255 {
            let (a, b) = (mapped([10, 0, 0, 1]), mapped([192, 168, last, 7]));
            assert_eq!(worker(a, b, 4), worker(b, a, 4));
            assert!(worker(a, b, 3) < 3);
        }
    }

    #[test]
    fn clients_of_one_server_spread_over_all_workers() {
        let server = mapped([10, 0, 0, 1]);
        let mut load = [0u32; 4];
        for third in 0..4 {
            for last in 0..250 {
                load[worker(server, mapped([10, 0, third, last]), 4) as usize] += 1;
            }
        }
        assert!(
            load.iter().all(|&pairs| (200..300).contains(&pairs)),
            "{load:?}"
        );
    }

    #[test]
    fn both_directions_have_one_connection() {
        let ends = [
            endpoint(mapped([10, 0, 0, 9]), 50_000),
            endpoint(mapped([10, 0, 0, 1]), 636),
            endpoint(mapped([10, 0, 0, 1]), 50_000),
            endpoint(words([1; 16]), 636),
        ];
        let mut keys = Vec::new();
        for one in ends {
            for other in ends {
                assert_eq!(connection(one, other), connection(other, one));
                keys.push(connection(one, other));
            }
        }
        keys.sort_unstable();
        keys.dedup();
        // Each end with itself and with each other.
        assert_eq!(keys.len(), 10);
        assert_eq!(size_of::<Connection>(), 36);
    }

    #[test]
    fn an_endpoint_has_no_padding_and_keeps_its_port() {
        assert_eq!(size_of::<Endpoint>(), 20);
        let key = endpoint(words([1; 16]), 49_664);
        assert_eq!(
            key,
            [0x0101_0101, 0x0101_0101, 0x0101_0101, 0x0101_0101, 49_664]
        );
    }
}
