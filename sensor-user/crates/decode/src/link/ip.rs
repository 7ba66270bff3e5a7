//! IPv4 and IPv6 headers, extension headers included.

use std::net::IpAddr;

use etherparse::{
    IpAuthHeaderSlice, IpNumber, Ipv6ExtensionsSlice, Ipv6FragmentHeaderSlice,
    Ipv6RawExtHeaderSlice, LaxIpSlice,
};

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
    plain(bytes).or_else(|| general(bytes, cut))
}

/// What nearly all packets are: IPv4 without options, whole, and all of it there. Reading them here
/// takes a quarter of the time.
fn plain(bytes: &[u8]) -> Option<IpPacket<'_>> {
    const VERSION_AND_LENGTH: u8 = 0x45;
    const MORE_FRAGMENTS_AND_OFFSET: u16 = 0x3fff;
    let (header, _) = bytes.split_first_chunk::<20>()?;
    let &[
        first,
        _,
        l0,
        l1,
        _,
        _,
        f0,
        f1,
        _,
        protocol,
        _,
        _,
        ref addresses @ ..,
    ] = header;
    let &[s0, s1, s2, s3, d0, d1, d2, d3] = addresses;
    let protocol = IpNumber(protocol);
    let is_plain = first == VERSION_AND_LENGTH
        && u16::from_be_bytes([f0, f1]) & MORE_FRAGMENTS_AND_OFFSET == 0
        && protocol != IpNumber::AUTHENTICATION_HEADER;
    let payload = bytes.get(header.len()..usize::from(u16::from_be_bytes([l0, l1])))?;
    is_plain.then_some(IpPacket {
        source: [s0, s1, s2, s3].into(),
        destination: [d0, d1, d2, d3].into(),
        protocol,
        fragment: None,
        header,
        payload,
        missing: 0,
    })
}

/// Any IP packet.
fn general(bytes: &[u8], cut: u32) -> Option<IpPacket<'_>> {
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
            let fragment = ipv6_fragment(ip.extensions());
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

/// What the fragment header among the extension headers says, if it divides anything.
///
/// The iterator of etherparse is not for slices from the lax parser: it believes that a header
/// which the one before it announces is there, and reads beyond the packet where it is not.
fn ipv6_fragment(extensions: &Ipv6ExtensionsSlice<'_>) -> Option<Fragment> {
    let mut next = extensions.first_header()?;
    let mut rest = extensions.slice();
    loop {
        let length = match next {
            IpNumber::IPV6_FRAGMENTATION_HEADER => {
                let header = Ipv6FragmentHeaderSlice::from_slice(rest).ok()?;
                if header.is_fragmenting_payload() {
                    return Some(Fragment {
                        identification: header.identification(),
                        offset: u32::from(header.fragment_offset().byte_offset()),
                        more: header.more_fragments(),
                    });
                }
                next = header.next_header();
                header.slice().len()
            }
            IpNumber::AUTHENTICATION_HEADER => {
                let header = IpAuthHeaderSlice::from_slice(rest).ok()?;
                next = header.next_header();
                header.slice().len()
            }
            _ if Ipv6RawExtHeaderSlice::header_type_supported(next) => {
                let header = Ipv6RawExtHeaderSlice::from_slice(rest).ok()?;
                next = header.next_header();
                header.slice().len()
            }
            _ => return None,
        };
        rest = rest.get(length..)?;
    }
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;
    use proptest::prelude::*;

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

    /// An IPv6 packet whose first header is `next`, with `rest` behind the fixed header.
    fn ipv6(next: IpNumber, rest: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; 40];
        packet[0] = 0x60;
        packet[4..6].copy_from_slice(&u16::try_from(rest.len()).unwrap().to_be_bytes());
        packet[6] = next.0;
        packet.extend(rest);
        packet
    }

    #[test]
    fn a_fragment_header_is_found_behind_others() {
        // Destination options of 8 bytes, then a fragment header: 0x1234, at 16, more to come.
        let headers = [
            44, 0, 1, 4, 0, 0, 0, 0, 17, 0, 0, 0x11, 0, 0, 0x12, 0x34, 1, 2,
        ];
        let packet = ipv6(IpNumber::IPV6_DESTINATION_OPTIONS, &headers);
        let ip = parse(&packet, 0).unwrap();
        let expected = Fragment {
            identification: 0x1234,
            offset: 16,
            more: true,
        };
        assert_eq!(ip.fragment, Some(expected));
        assert_eq!((ip.protocol, ip.payload), (IpNumber::UDP, &[1, 2][..]));
    }

    #[test]
    fn an_announced_header_that_is_not_there_ends_the_packet() {
        // Each says that another extension header follows; the packet ends, or the next one may
        // only stand first (hop-by-hop options), or says that it is longer than the packet.
        for rest in [
            &[60, 0, 1, 4, 0, 0, 0, 0][..],
            &[0; 16],
            &[60, 255, 0, 0, 0, 0, 0, 0],
        ] {
            let packet = ipv6(IpNumber::IPV6_HEADER_HOP_BY_HOP, rest);
            assert_eq!(parse(&packet, 0).and_then(|ip| ip.fragment), None);
        }
    }

    proptest! {
        #[test]
        fn what_is_plain_is_read_alike(
            first in prop::sample::select(&[0x45_u8, 0x46, 0x65][..]),
            length in 0..64_u16,
            fragment in prop::sample::select(&[0_u16, 0x4000, 0x2000, 1, 0x8000][..]),
            protocol in prop::sample::select(&[6_u8, 17, 47, 51, 200][..]),
            mut packet in prop::collection::vec(any::<u8>(), 10..64),
        ) {
            let ([l0, l1], [f0, f1]) = (length.to_be_bytes(), fragment.to_be_bytes());
            for (at, byte) in [(0, first), (2, l0), (3, l1), (6, f0), (7, f1), (9, protocol)] {
                packet[at] = byte;
            }
            let plain = plain(&packet);
            prop_assert!(plain.is_none() || plain == general(&packet, 7));
        }

        #[test]
        fn any_extension_headers_are_survived(
            first in prop::sample::select(&[0_u8, 43, 44, 51, 60][..]),
            headers in prop::collection::vec(
                (prop::sample::select(&[0_u8, 17, 43, 44, 51, 60][..]), 0_u8..3, any::<[u8; 6]>()),
                0..6,
            ),
            end in 0..48_usize,
        ) {
            let mut rest: Vec<u8> = headers
                .into_iter()
                .flat_map(|(next, length, rest)| [&[next, length][..], &rest].concat())
                .collect();
            rest.truncate(end);
            parse(&ipv6(IpNumber(first), &rest), 0);
        }
    }
}
