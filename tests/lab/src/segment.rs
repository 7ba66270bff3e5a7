//! Frames as a card would send them: no longer than the link allows, with every checksum right.
//!
//! A capture on a virtual link holds what the kernel hands to an offloading card: TCP frames of up to
//! 64 kB and checksums that are not finished. A link of 1,500 bytes takes neither.

use anyhow::{Context, Result, bail};
use etherparse::{NetHeaders, PacketHeaders, TcpHeader, TransportHeader};

/// Splits `frame` (from its Ethernet header on) into frames whose network layer fits `mtu` bytes, and
/// finishes their checksums. What is neither IP nor too long passes as it is.
///
/// # Errors
/// If a frame that is too long is not TCP, or cannot be parsed.
pub fn segment(frame: &[u8], mtu: usize) -> Result<Vec<Vec<u8>>> {
    let packet = PacketHeaders::from_ethernet_slice(frame).context("not an Ethernet frame")?;
    let payload = packet.payload.slice();
    // Link headers end where the network layer begins; Ethernet's padding after it is dropped.
    let link: usize = 14
        + packet
            .link_exts
            .iter()
            .map(etherparse::LinkExtHeader::header_len)
            .sum::<usize>();
    let (Some(net), Some(transport)) = (packet.net, packet.transport) else {
        if frame.len() > link + mtu {
            bail!(
                "a frame of {} bytes that is not TCP exceeds the link's {mtu}",
                frame.len()
            );
        }
        return Ok(vec![frame.to_vec()]);
    };
    let headers = net.header_len() + transport.header_len();
    let room = match transport {
        TransportHeader::Tcp(_) => mtu.saturating_sub(headers).max(1),
        _ if headers + payload.len() > mtu => {
            bail!(
                "a datagram of {} bytes exceeds the link's {mtu}",
                headers + payload.len()
            )
        }
        _ => payload.len(),
    };
    let mut frames = Vec::new();
    let mut offset = 0;
    loop {
        let end = payload.len().min(offset + room);
        let place = Place {
            number: frames.len(),
            offset,
            last: end == payload.len(),
        };
        frames.push(build(
            &frame[..link],
            &net,
            &transport,
            &payload[offset..end],
            &place,
        )?);
        if place.last {
            return Ok(frames);
        }
        offset = end;
    }
}

/// Where a segment stands in the frame it was cut from.
struct Place {
    number: usize,
    offset: usize,
    last: bool,
}

fn build(
    link: &[u8],
    net: &NetHeaders,
    transport: &TransportHeader,
    payload: &[u8],
    place: &Place,
) -> Result<Vec<u8>> {
    let mut net = net.clone();
    let mut transport = transport.clone();
    if let TransportHeader::Tcp(tcp) = &mut transport {
        move_to(tcp, place)?;
    }
    let length = transport.header_len() + payload.len();
    match &mut net {
        NetHeaders::Ipv4(ip, extensions) => {
            ip.set_payload_len(extensions.header_len() + length)?;
            ip.identification = ip.identification.wrapping_add(u16::try_from(place.number)?);
            ip.header_checksum = ip.calc_header_checksum();
            transport.update_checksum_ipv4(ip, payload)?;
        }
        NetHeaders::Ipv6(ip, extensions) => {
            ip.set_payload_length(extensions.header_len() + length)?;
            transport.update_checksum_ipv6(ip, payload)?;
        }
        NetHeaders::Arp(_) => bail!("ARP carries no transport"),
    }
    let mut frame = link.to_vec();
    match &net {
        NetHeaders::Ipv4(ip, extensions) => {
            ip.write_raw(&mut frame)?;
            extensions.write(&mut frame, ip.protocol)?;
        }
        NetHeaders::Ipv6(ip, extensions) => {
            ip.write(&mut frame)?;
            extensions.write(&mut frame, ip.next_header)?;
        }
        NetHeaders::Arp(arp) => arp.write(&mut frame)?,
    }
    transport.write(&mut frame)?;
    frame.extend(payload);
    Ok(frame)
}

/// As TCP segmentation offload does it: the first segment alone tells of a reduced window (RFC 3168
/// 6.1.2), the last alone pushes and ends.
fn move_to(tcp: &mut TcpHeader, place: &Place) -> Result<()> {
    tcp.sequence_number = tcp
        .sequence_number
        .wrapping_add(u32::try_from(place.offset)?);
    tcp.cwr &= place.number == 0;
    tcp.psh &= place.last;
    tcp.fin &= place.last;
    Ok(())
}

#[cfg(test)]
mod tests {
    use etherparse::{PacketBuilder, SlicedPacket, TransportSlice};

    use super::*;

    fn frame(payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
            .ipv4([10, 83, 0, 10], [10, 83, 0, 66], 64)
            .tcp(49_153, 40_000, u32::MAX - 2_000, 512)
            .ack(9)
            .psh()
            .fin()
            .write(&mut frame, payload)
            .unwrap();
        frame
    }

    fn break_checksums(frame: &mut [u8]) {
        frame[24] ^= 0x55;
        frame[50] ^= 0x55;
    }

    /// The TCP payload, after checking every length and checksum.
    fn verified(frame: &[u8]) -> (TcpHeader, Vec<u8>) {
        let sliced = SlicedPacket::from_ethernet(frame).unwrap();
        let Some(etherparse::NetSlice::Ipv4(ip)) = &sliced.net else {
            panic!("not IPv4")
        };
        let header = ip.header().to_header();
        assert_eq!(header.header_checksum, header.calc_header_checksum());
        assert_eq!(usize::from(header.total_len), frame.len() - 14);
        let Some(TransportSlice::Tcp(tcp)) = &sliced.transport else {
            panic!("not TCP")
        };
        assert_eq!(
            tcp.checksum(),
            tcp.calc_checksum_ipv4(header.source, header.destination)
                .unwrap()
        );
        (tcp.to_header(), tcp.payload().to_vec())
    }

    #[test]
    fn a_large_frame_becomes_segments_that_carry_the_same_bytes() {
        let payload: Vec<u8> = (0..18_852)
            .map(|index| u8::try_from(index % 251).unwrap())
            .collect();
        let mut large = frame(&payload);
        break_checksums(&mut large);
        let segments = segment(&large, 1_500).unwrap();
        assert_eq!(segments.len(), payload.len().div_ceil(1_460));
        let mut next = u32::MAX - 2_000;
        let mut carried = Vec::new();
        for (index, segment) in segments.iter().enumerate() {
            assert!(segment.len() <= 1_514);
            let (tcp, bytes) = verified(segment);
            assert_eq!(tcp.sequence_number, next);
            let last = index + 1 == segments.len();
            assert_eq!((tcp.psh, tcp.fin), (last, last));
            next = next.wrapping_add(u32::try_from(bytes.len()).unwrap());
            carried.extend(bytes);
        }
        assert_eq!(carried, payload);
    }

    #[test]
    fn a_small_frame_stays_one_and_gets_its_checksums() {
        let whole = frame(b"hello");
        let mut broken = whole.clone();
        break_checksums(&mut broken);
        assert_eq!(segment(&broken, 1_500).unwrap(), [whole]);
    }

    #[test]
    fn every_frame_of_every_capture_fits_the_link_afterwards() {
        for label in crate::Labels::load(&crate::labels::folder())
            .unwrap()
            .captures
        {
            let capture = crate::Capture::load(&label.path()).unwrap();
            for packet in &capture.packets {
                for segment in segment(&packet.frame, 1_500).unwrap() {
                    assert!(segment.len() <= 1_514, "{}", label.file);
                }
            }
        }
    }

    #[test]
    fn a_datagram_too_long_for_the_link_is_refused() {
        let mut long = Vec::new();
        PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4([10, 83, 0, 10], [10, 83, 0, 66], 64)
            .udp(88, 40_000)
            .write(&mut long, &[0; 2_000])
            .unwrap();
        let error = segment(&long, 1_500).unwrap_err().to_string();
        assert!(error.contains("2028"), "{error}");
    }
}
