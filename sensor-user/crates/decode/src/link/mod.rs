//! The frame's outermost headers: from any link layer down to an IP packet, and from there into
//! tunnels.

mod ip;
mod tunnel;

use crate::frame::{Frame, LinkType};
use crate::stats::Drop;
use crate::wire::{Order, Wire};

pub(crate) use ip::{Fragment, IpPacket};
pub(crate) use tunnel::MAX_DEPTH;
pub use tunnel::Tunnels;

/// The IP packet in a frame.
///
/// # Errors
///
/// The reason why there is none.
pub(crate) fn ip_packet<'a>(frame: &Frame<'a>) -> Result<IpPacket<'a>, Drop> {
    let bytes = ip_bytes(frame).ok_or(Drop::NotIp)?;
    let captured = u32::try_from(frame.data.len()).unwrap_or(u32::MAX);
    ip::parse(bytes, frame.wire_len.saturating_sub(captured)).ok_or(Drop::BadIp)
}

/// The bytes from the IP header on.
fn ip_bytes<'a>(frame: &Frame<'a>) -> Option<&'a [u8]> {
    let mut wire = Wire::new(frame.data, Order::Big);
    match frame.link {
        LinkType::Ethernet => {
            wire.take(12)?;
            behind_ether_type(wire)
        }
        LinkType::LinuxSll => {
            // Packet type, ARPHRD type, address length, address (8): then the protocol.
            wire.take(14)?;
            behind_ether_type(wire)
        }
        LinkType::LinuxSll2 => {
            // The protocol comes first, and any VLAN tags directly behind the 20 bytes.
            let protocol = wire.u16()?;
            wire.take(18)?;
            untag(protocol, wire)
        }
        LinkType::RawIp => Some(frame.data),
        LinkType::Null => {
            // The address family, in whichever byte order; the IP version says the same.
            wire.take(4)?;
            Some(wire.rest())
        }
    }
    .filter(|bytes| matches!(bytes.first().map(|first| first >> 4), Some(4 | 6)))
}

fn behind_ether_type(mut wire: Wire<'_>) -> Option<&[u8]> {
    let ether_type = wire.u16()?;
    untag(ether_type, wire)
}

/// VLAN tags in front of a packet: 802.1Q, and 802.1ad with its predecessors around it.
const MAX_TAGS: usize = 4;

fn untag(mut ether_type: u16, mut wire: Wire<'_>) -> Option<&[u8]> {
    const IPV4: u16 = 0x0800;
    const IPV6: u16 = 0x86dd;
    for _ in 0..=MAX_TAGS {
        match ether_type {
            IPV4 | IPV6 => return Some(wire.rest()),
            0x8100 | 0x88a8 | 0x9100 | 0x9200 => {
                let _tag = wire.u16()?;
                ether_type = wire.u16()?;
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use goshawk_model::Timestamp;

    use super::*;

    /// An IPv4 header without payload.
    const IP: [u8; 20] = [
        0x45, 0, 0, 20, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
    ];

    fn found(link: LinkType, head: &[u8]) -> bool {
        let data = [head, &IP].concat();
        let frame = Frame {
            time: Timestamp::ZERO,
            origin: 0,
            link,
            wire_len: data.len() as u32,
            data: &data,
        };
        ip_bytes(&frame) == Some(&IP)
    }

    #[test]
    fn every_link_layer_leads_to_ip() {
        let macs = [0u8; 12];
        assert!(found(
            LinkType::Ethernet,
            &[&macs[..], &[0x08, 0x00]].concat()
        ));
        let two_tags = [0x88, 0xa8, 0, 5, 0x81, 0x00, 0, 6, 0x08, 0x00];
        assert!(found(LinkType::Ethernet, &[&macs[..], &two_tags].concat()));
        assert!(found(
            LinkType::LinuxSll,
            &[&[0u8; 14][..], &[0x08, 0x00]].concat()
        ));
        assert!(found(
            LinkType::LinuxSll2,
            &[&[0x08, 0x00][..], &[0u8; 18]].concat()
        ));
        assert!(found(LinkType::RawIp, &[]));
        assert!(found(LinkType::Null, &[2, 0, 0, 0]));
        assert!(found(LinkType::Null, &[0, 0, 0, 2]));
    }

    #[test]
    fn other_protocols_and_endless_tags_do_not() {
        let macs = [0u8; 12];
        assert!(!found(
            LinkType::Ethernet,
            &[&macs[..], &[0x08, 0x06]].concat()
        ));
        let tags = [0x81, 0x00, 0, 1].repeat(MAX_TAGS + 1);
        assert!(!found(
            LinkType::Ethernet,
            &[&macs[..], &tags, &[0x08, 0x00]].concat()
        ));
    }
}
