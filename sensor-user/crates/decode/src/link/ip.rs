//! IPv4 and IPv6 headers, extension headers included.

use std::net::IpAddr;

use etherparse::{IpNumber, Ipv6ExtensionSlice, LaxIpSlice};

/// An IP packet's addresses and payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IpPacket<'a> {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    /// The protocol of the payload, past all extension headers.
    pub(crate) protocol: IpNumber,
    /// Which part of a datagram this is, if it is not a whole one.
    pub(crate) fragment: Option<Fragment>,
    /// What stands before the payload: the IP header, its options or extension headers.
    pub(crate) header: &'a [u8],
    pub(crate) payload: &'a [u8],
    /// Bytes of the payload that were on the wire and are not in the capture.
    pub(crate) missing: u32,
}

/// A part of a datagram (RFC 791 3.2, RFC 8200 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    pub(crate) identification: u32,
    /// Where its payload belongs, bytes.
    pub(crate) offset: u32,
    /// Whether others follow.
    pub(crate) more: bool,
}

/// Parses from the IP header on. `cut` bytes of the frame were not captured.
pub(super) fn parse(bytes: &[u8], cut: u32) -> Option<IpPacket<'_>> {
    // etherparse takes the frame's own length where the header's is 0 (TSO, GRO and BIG TCP) or
    // says more than there is, and drops Ethernet's padding where it says less.
    let (ip, _stopped) = LaxIpSlice::from_slice(bytes).ok()?;
    let (fragment, said) = match &ip {
        LaxIpSlice::Ipv4(ip) => {
            let header = ip.header();
            let fragment = header.is_fragmenting_payload().then(|| Fragment {
                identification: u32::from(header.identification()),
                offset: u32::from(header.fragments_offset().byte_offset()),
                more: header.more_fragments(),
            });
            (fragment, usize::from(header.total_len()))
        }
        LaxIpSlice::Ipv6(ip) => {
            let fragment = ip.extensions().clone().into_iter().find_map(|extension| {
                let Ipv6ExtensionSlice::Fragment(header) = extension else {
                    return None;
                };
                header.is_fragmenting_payload().then(|| Fragment {
                    identification: header.identification(),
                    offset: u32::from(header.fragment_offset().byte_offset()),
                    more: header.more_fragments(),
                })
            });
            let length = usize::from(ip.header().payload_length());
            (fragment, if length == 0 { 0 } else { 40 + length })
        }
    };
    let payload = ip.payload();
    let missing = if payload.incomplete {
        u32::try_from(said.saturating_sub(bytes.len())).unwrap_or(u32::MAX)
    } else if said == 0 {
        cut
    } else {
        0
    };
    let header = payload.payload.as_ptr().addr() - bytes.as_ptr().addr();
    Some(IpPacket {
        header: bytes.get(..header)?,
        source: ip.source_addr(),
        destination: ip.destination_addr(),
        protocol: payload.ip_number,
        fragment,
        payload: payload.payload,
        missing,
    })
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;

    fn udp(payload: &[u8]) -> Vec<u8> {
        let mut packet = Vec::new();
        PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
            .udp(1000, 88)
            .write(&mut packet, payload)
            .unwrap();
        packet
    }

    #[test]
    fn a_length_of_zero_means_the_whole_frame() {
        let mut packet = udp(b"12345678");
        packet[2..4].fill(0);
        let ip = parse(&packet, 0).unwrap();
        assert_eq!((ip.payload.len(), ip.missing), (16, 0));
        assert_eq!(parse(&packet, 100).unwrap().missing, 100);
    }

    #[test]
    fn padding_is_dropped_and_missing_bytes_are_counted() {
        let mut packet = udp(b"12345678");
        packet.extend([0; 18]);
        assert_eq!(parse(&packet, 0).unwrap().payload.len(), 16);
        packet.truncate(31);
        let ip = parse(&packet, 5).unwrap();
        assert_eq!((ip.payload.len(), ip.missing), (11, 5));
    }

    #[test]
    fn a_fragment_knows_its_place() {
        let mut packet = udp(b"12345678");
        packet[4..8].copy_from_slice(&[0x12, 0x34, 0x20, 0x02]);
        let fragment = parse(&packet, 0).unwrap().fragment;
        let expected = Fragment {
            identification: 0x1234,
            offset: 16,
            more: true,
        };
        assert_eq!(fragment, Some(expected));
    }
}
