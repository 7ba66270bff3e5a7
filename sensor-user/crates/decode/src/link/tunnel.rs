//! Packets inside packets: the tunnels by which switches, hypervisors and clouds send what they
//! mirror to a tap. VXLAN (RFC 7348); GRE (RFC 2784, RFC 2890) around Ethernet, NVGRE (RFC 7637)
//! included, or IP; ERSPAN of types I to III (draft-foschiano-erspan-03).
//!
//! The kernel program knows the same ones; a test holds the two to it.

use etherparse::IpNumber;

use super::IpPacket;
use crate::frame::LinkType;
use crate::wire::{Order, Wire};

/// Whether tunnels are looked into.
///
/// They are where somebody mirrors packets into them: behind a tap, and in captures. On a controller
/// or a router they are not, because whoever may send it a datagram could put packets of others'
/// into it that never were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tunnels {
    /// What is in a tunnel is not looked at.
    #[default]
    Closed,
    /// It is.
    Open {
        /// The UDP port of VXLAN.
        vxlan_port: u16,
    },
}

impl Tunnels {
    /// The port of VXLAN, unless an administrator has chosen another (RFC 7348 5).
    pub const VXLAN_PORT: u16 = 4789;

    /// What is inside `packet`, if it is a tunnel's, and what its first bytes are.
    pub(crate) fn inside<'a>(self, packet: &IpPacket<'a>) -> Option<(LinkType, &'a [u8])> {
        let Self::Open { vxlan_port } = self else {
            return None;
        };
        let wire = Wire::new(packet.payload, Order::Big);
        match packet.protocol {
            IpNumber::UDP => vxlan(wire, vxlan_port),
            IpNumber::GRE => gre(wire),
            _ => None,
        }
    }
}

/// Tunnels inside tunnels that are followed: the mirrored packets of a fabric may be VXLAN's own.
pub(crate) const MAX_DEPTH: usize = 2;

/// RFC 7348 5.
fn vxlan(mut wire: Wire<'_>, port: u16) -> Option<(LinkType, &[u8])> {
    const VNI_IS_VALID: u8 = 0x08;
    let [_, _, d0, d1, ..] = wire.array::<8>()?;
    let [flags, ..] = wire.array::<8>()?;
    let is_vxlan = u16::from_be_bytes([d0, d1]) == port && flags & VNI_IS_VALID != 0;
    is_vxlan.then(|| (LinkType::Ethernet, wire.rest()))
}

/// RFC 2784 2.1, RFC 2890 2.
fn gre(mut wire: Wire<'_>) -> Option<(LinkType, &[u8])> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const VERSION: u16 = 0x0007;
    let (flags, protocol) = (wire.u16()?, wire.u16()?);
    // Source routes are history, and version 1 is PPTP's.
    if flags & (ROUTING | VERSION) != 0 {
        return None;
    }
    for field in [CHECKSUM, KEY, SEQUENCE] {
        if flags & field != 0 {
            wire.u32()?;
        }
    }
    match protocol {
        0x0800 | 0x86dd => Some((LinkType::RawIp, wire.rest())),
        0x6558 => Some((LinkType::Ethernet, wire.rest())),
        // Types I and II have one number; only the latter has a header, and a sequence number.
        0x88be if flags & SEQUENCE == 0 => Some((LinkType::Ethernet, wire.rest())),
        0x88be => erspan2(wire),
        0x22eb => erspan3(wire),
        _ => None,
    }
}

fn erspan2(mut wire: Wire<'_>) -> Option<(LinkType, &[u8])> {
    let [version, ..] = wire.array::<8>()?;
    (version >> 4 == 1).then(|| (LinkType::Ethernet, wire.rest()))
}

fn erspan3(mut wire: Wire<'_>) -> Option<(LinkType, &[u8])> {
    const HAS_SUBHEADER: u8 = 0x01;
    let [version, .., frame_type, flags] = wire.array::<12>()?;
    if version >> 4 != 2 {
        return None;
    }
    if flags & HAS_SUBHEADER != 0 {
        wire.take(8)?;
    }
    match frame_type >> 2 & 0x1f {
        0 => Some((LinkType::Ethernet, wire.rest())),
        2 => Some((LinkType::RawIp, wire.rest())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    const OPEN: Tunnels = Tunnels::Open { vxlan_port: 4789 };

    fn inside(tunnels: Tunnels, protocol: IpNumber, headers: &[u8]) -> Option<LinkType> {
        let payload = [headers, b"inside"].concat();
        let packet = IpPacket {
            source: [10, 0, 0, 1].into(),
            destination: [10, 0, 0, 2].into(),
            protocol,
            fragment: None,
            header: &[],
            payload: &payload,
            missing: 0,
        };
        let (link, bytes) = tunnels.inside(&packet)?;
        assert_eq!(bytes, b"inside");
        Some(link)
    }

    fn in_gre(headers: &[u8]) -> Option<LinkType> {
        inside(OPEN, IpNumber::GRE, headers)
    }

    #[test]
    fn vxlan_has_a_port_and_a_valid_network() {
        let mut headers = [0x9c, 0x40, 0x12, 0xb5, 0, 22, 0, 0, 8, 0, 0, 0, 0, 0, 5, 0];
        let udp = IpNumber::UDP;
        assert_eq!(inside(OPEN, udp, &headers), Some(LinkType::Ethernet));
        assert_eq!(inside(Tunnels::Closed, udp, &headers), None);
        let other = Tunnels::Open { vxlan_port: 8472 };
        assert_eq!(inside(other, udp, &headers), None);
        headers[8] = 0;
        assert_eq!(inside(OPEN, udp, &headers), None);
    }

    #[test]
    fn gre_has_any_of_three_optional_fields() {
        for flags in [0x00, 0x80, 0x20, 0x10, 0xa0, 0xb0] {
            let optional = u8::count_ones(flags) as usize * 4;
            for (protocol, link) in [
                ([0x65, 0x58], LinkType::Ethernet),
                ([0x08, 0x00], LinkType::RawIp),
                ([0x86, 0xdd], LinkType::RawIp),
            ] {
                let mut headers = vec![flags, 0, protocol[0], protocol[1]];
                headers.resize(4 + optional, 7);
                assert_eq!(in_gre(&headers), Some(link));
            }
        }
        assert_eq!(in_gre(&[0x40, 0, 0x65, 0x58]), None, "source routes");
        assert_eq!(in_gre(&[0, 1, 0x65, 0x58]), None, "PPTP");
        assert_eq!(in_gre(&[0, 0, 0x88, 0x0b]), None, "PPP");
    }

    #[test]
    fn erspan_types_have_headers_of_their_own() {
        let sequenced = |protocol: [u8; 2], header: &[u8]| {
            in_gre(&[&[0x10, 0][..], &protocol, &[0, 0, 0, 1], header].concat())
        };
        assert_eq!(in_gre(&[0, 0, 0x88, 0xbe]), Some(LinkType::Ethernet));
        let (two, three) = ([0x88, 0xbe], [0x22, 0xeb]);
        let mut header = [0; 20];
        header[0] = 0x10;
        assert_eq!(sequenced(two, &header[..8]), Some(LinkType::Ethernet));
        header[0] = 0x20;
        assert_eq!(sequenced(two, &header[..8]), None);
        assert_eq!(sequenced(three, &header[..12]), Some(LinkType::Ethernet));
        header[10] = 2 << 2;
        assert_eq!(sequenced(three, &header[..12]), Some(LinkType::RawIp));
        header[11] = 1;
        assert_eq!(sequenced(three, &header), Some(LinkType::RawIp));
        header[10] = 1 << 2;
        assert_eq!(sequenced(three, &header), None);
    }

    /// The payload of a packet, for the kernel program's parser.
    struct Payload<'a>(&'a [u8]);

    impl sensor_ebpf::parse::Frame for Payload<'_> {
        fn size(&self) -> u32 {
            self.0.len() as u32
        }

        fn read<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
            self.0.get(offset as usize..)?.first_chunk().copied()
        }
    }

    proptest! {
        #[test]
        fn the_kernel_program_sees_the_same(
            flags in any::<u8>(),
            version in 0..2u8,
            protocol in select(vec![0x0800, 0x86dd, 0x6558, 0x88be, 0x22eb_u16, 0x880b]),
            is_gre in any::<bool>(),
            rest in vec(any::<u8>(), 0..44),
        ) {
            let [p0, p1] = protocol.to_be_bytes();
            let (number, head) = if is_gre {
                (IpNumber::GRE, [flags, version, p0, p1])
            } else {
                (IpNumber::UDP, [flags, version, 0x12, 0xb5])
            };
            let payload = [&head[..], &rest].concat();
            let packet = IpPacket {
                source: [10, 0, 0, 1].into(),
                destination: [10, 0, 0, 2].into(),
                protocol: number,
                fragment: None,
                header: &[],
                payload: &payload,
                missing: 0,
            };
            let datagram = sensor_ebpf::parse::Datagram {
                source: [0; 4],
                destination: [0; 4],
                protocol: number.0,
                part: sensor_ebpf::parse::Part::Whole,
                transport: 0,
                end: payload.len() as u32,
            };
            let ours = OPEN.inside(&packet).map(|(link, rest)| (link, payload.len() - rest.len()));
            let theirs = sensor_ebpf::tunnel::inside(&Payload(&payload), &datagram, 4789)
                // It says where something would start; whether that is there is seen when it is read.
                .filter(|inside| inside.start as usize <= payload.len())
                .map(|inside| {
                    let link = match inside.link {
                        sensor_ebpf::Link::Ethernet => LinkType::Ethernet,
                        sensor_ebpf::Link::Ip => LinkType::RawIp,
                    };
                    (link, inside.start as usize)
                });
            prop_assert_eq!(ours, theirs);
        }
    }
}
