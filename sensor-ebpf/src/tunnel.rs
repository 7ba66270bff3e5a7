//! Tunnels by which a tap is fed: VXLAN (RFC 7348), GRE (RFC 2784, RFC 2890) around Ethernet or IP,
//! ERSPAN of types I to III (draft-foschiano-erspan-03).
//!
//! Only a tap looks into them. On a controller or a router anybody could send packets inside of
//! packets that claim to be others'.

use crate::Link;
use crate::parse::{Datagram, Frame, GRE, Part, UDP};

/// Tunnels inside tunnels that are followed.
pub const MAX_TUNNELS: u32 = 2;

/// What is inside a tunnel's packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inside {
    /// Where it starts in the frame.
    pub start: u32,
    /// What it begins with.
    pub link: Link,
}

/// What is inside `datagram`, if it is a tunnel's; `vxlan_port` is the UDP port of VXLAN. A later
/// fragment shows nothing.
#[inline(always)]
pub fn inside<F: Frame>(frame: &F, datagram: &Datagram, vxlan_port: u16) -> Option<Inside> {
    if matches!(datagram.part, Part::Later(_)) {
        return None;
    }
    match datagram.protocol {
        UDP => vxlan(frame, datagram.transport, vxlan_port),
        GRE => gre(frame, datagram.transport),
        _ => None,
    }
}

/// RFC 7348 5: behind the UDP header eight bytes, of which the first says that the network's number
/// is valid.
#[inline(always)]
fn vxlan<F: Frame>(frame: &F, start: u32, port: u16) -> Option<Inside> {
    let [d0, d1] = frame.read(start + 2)?;
    if u16::from_be_bytes([d0, d1]) != port {
        return None;
    }
    let [flags, _, _, _, _, _, _, _] = frame.read(start + 8)?;
    (flags & 0x08 != 0).then_some(Inside {
        start: start + 16,
        link: Link::Ethernet,
    })
}

/// RFC 2784 2.1, RFC 2890 2.
#[inline(always)]
fn gre<F: Frame>(frame: &F, start: u32) -> Option<Inside> {
    const CHECKSUM: u8 = 0x80;
    const ROUTING: u8 = 0x40;
    const KEY: u8 = 0x20;
    const SEQUENCE: u8 = 0x10;
    const VERSION: u8 = 0x07;
    let [flags, version, p0, p1] = frame.read(start)?;
    // Source routes are history, and version 1 is PPTP's.
    if flags & ROUTING != 0 || version & VERSION != 0 {
        return None;
    }
    let field = |flag: u8| if flags & flag == 0 { 0 } else { 4 };
    let start = start + 4 + field(CHECKSUM) + field(KEY) + field(SEQUENCE);
    let (start, link) = match u16::from_be_bytes([p0, p1]) {
        0x0800 | 0x86dd => (start, Link::Ip),
        0x6558 => (start, Link::Ethernet),
        // Types I and II have one number; only the latter has a header, and a sequence number.
        0x88be if flags & SEQUENCE == 0 => (start, Link::Ethernet),
        0x88be => {
            let [version] = frame.read(start)?;
            if version >> 4 != 1 {
                return None;
            }
            (start + 8, Link::Ethernet)
        }
        0x22eb => {
            let [version] = frame.read(start)?;
            let [kind, flags] = frame.read(start + 10)?;
            if version >> 4 != 2 {
                return None;
            }
            // The last bit says that a subheader follows.
            let start = start + if flags & 1 == 0 { 12 } else { 20 };
            match kind >> 2 & 0x1f {
                0 => (start, Link::Ethernet),
                2 => (start, Link::Ip),
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(Inside { start, link })
}
