//! What the daemon sets when it loads the program, and the limits of what it can set.

/// The most workers, and so rings, that can be set.
pub const MAX_WORKERS: u32 = 64;

/// In place of the UDP port of VXLAN: tunnels are not looked into.
pub const CLOSED: u32 = u32::MAX;

/// The longest frame that is copied: above the largest super-packet that Linux builds for
/// segmentation offload (GSO_MAX_SIZE, 524,280 bytes) and its link header.
pub const MAX_FRAME: u32 = 540_000;

/// The most endpoints that are remembered at once; the one not seen for longest makes room.
pub const LEARNED_MAX: u32 = 16_384;

/// The most fragmented datagrams that are remembered at once; the oldest makes room.
pub const FRAGMENTS_MAX: u32 = 4_096;

/// The most connections that are shunted at once; the one not seen for longest makes room.
pub const SHUNTS_MAX: u32 = 16_384;

/// The ports of identity traffic: DNS, Kerberos, NTP, the endpoint mapper, NetBIOS, LDAP, SMB,
/// Kerberos password change, RPC over HTTP, LDAPS, RADIUS accounting, the global catalogue, remote
/// management and AD web services.
pub const DEFAULT_PORTS: [u16; 17] = [
    53, 88, 123, 135, 137, 138, 139, 389, 445, 464, 593, 636, 1813, 3268, 3269, 5985, 9389,
];

/// Words in a set of [`Ports`].
pub const PORT_WORDS: usize = 65_536 / 64;

/// A set of ports, one bit each: the program tests one with a shift and a load.
#[derive(Clone, PartialEq, Eq)]
pub struct Ports([u64; PORT_WORDS]);

impl Ports {
    /// The set of the given ports.
    pub const fn of(ports: &[u16]) -> Self {
        let mut words = [0; PORT_WORDS];
        let mut i = 0;
        while i < ports.len() {
            words[ports[i] as usize / 64] |= 1 << (ports[i] % 64);
            i += 1;
        }
        Self(words)
    }

    /// The set as the program holds it.
    pub const fn words(&self) -> &[u64; PORT_WORDS] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_its_ports_and_no_other() {
        let ports = Ports::of(&[0, 63, 64, 65_535]);
        let held: Vec<usize> = (0..65_536)
            .filter(|port| ports.words()[port / 64] >> (port % 64) & 1 == 1)
            .collect();
        assert_eq!(held, [0, 63, 64, 65_535]);
    }
}
