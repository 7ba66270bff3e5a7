//! From a frame to its IP datagram: Ethernet if it begins with that, up to two VLAN tags, IPv4 with
//! options, IPv6 with extension headers.
//!
//! Written for the verifier as much as for the reader: no loop without a constant bound, no
//! recursion, no arithmetic that can overflow. Lengths in the packet are hints; the frame's own
//! length is the truth (with segmentation offload the IP total length may be 0).

use crate::{Address, Link, mapped, words};

/// A frame that can be read piece by piece, wherever its bytes are.
pub trait Frame {
    /// Length of the frame in bytes.
    fn size(&self) -> u32;

    /// The `N` bytes at `offset`; `None` if the frame, or its [`HEAD`], ends before.
    fn read<const N: usize>(&self, offset: u32) -> Option<[u8; N]>;
}

/// An IP datagram, or a fragment of one, inside a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Who sent it.
    pub source: Address,
    /// Who is to get it.
    pub destination: Address,
    /// The transport: [`TCP`], [`UDP`] or another of IANA's protocol numbers.
    pub protocol: u8,
    /// Whether it is whole.
    pub part: Part,
    /// Where the transport header (or a later fragment's data) starts in the frame.
    pub transport: u32,
    /// Where the datagram ends in the frame: before padding, if its length can be believed.
    pub end: u32,
}

/// Which part of its datagram a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// The fragment that holds the transport header; the others bear the same identification.
    First(u32),
    /// A fragment after the first.
    Later(u32),
}

/// Why a frame has no datagram for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It carries something other than IP.
    NotIp,
    /// It ends in the middle of a header.
    Truncated,
    /// It has more IPv6 extension headers than [`MAX_EXTENSIONS`].
    Extensions,
}

/// IANA protocol number of TCP.
pub const TCP: u8 = 6;
/// IANA protocol number of UDP.
pub const UDP: u8 = 17;
/// IANA protocol number of GRE.
pub const GRE: u8 = 47;

/// The bytes at the start of a frame in which all headers must lie, and the first bytes of the
/// payload. Two VLAN tags, IP and TCP with all their options, and what is looked at of the payload
/// take 166; the rest is for IPv6 extension headers.
pub const HEAD: usize = 256;
/// VLAN tags that are followed: a service tag and a customer tag (IEEE 802.1ad).
pub const MAX_VLANS: u32 = 2;
/// IPv6 extension headers that are followed. RFC 8200 4.1 names seven, each to occur once but
/// for destination options, which may occur twice.
pub const MAX_EXTENSIONS: u32 = 8;

const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_VLAN: u16 = 0x8100;
const ETHERTYPE_SERVICE_VLAN: u16 = 0x88a8;

/// Finds the IP datagram in `frame`, which begins with `link`.
#[inline(always)]
pub fn parse<F: Frame>(frame: &F, link: Link) -> Result<Datagram, Unread> {
    let (ethertype, offset) = match link {
        Link::Ethernet => ethernet(frame)?,
        Link::Ip => {
            let [version] = read(frame, 0)?;
            let ethertype = match version >> 4 {
                4 => ETHERTYPE_IPV4,
                6 => ETHERTYPE_IPV6,
                _ => return Err(Unread::NotIp),
            };
            (ethertype, 0)
        }
    };
    match ethertype {
        ETHERTYPE_IPV4 => ipv4(frame, offset),
        ETHERTYPE_IPV6 => ipv6(frame, offset),
        _ => Err(Unread::NotIp),
    }
}

/// The type of what an Ethernet header and its tags are followed by, and where that starts.
#[inline(always)]
fn ethernet<F: Frame>(frame: &F) -> Result<(u16, u32), Unread> {
    let mut ethertype = u16::from_be_bytes(read(frame, 12)?);
    let mut offset = 14;
    for _ in 0..MAX_VLANS {
        if ethertype != ETHERTYPE_VLAN && ethertype != ETHERTYPE_SERVICE_VLAN {
            break;
        }
        ethertype = u16::from_be_bytes(read(frame, offset + 2)?);
        offset += 4;
    }
    Ok((ethertype, offset))
}

/// RFC 791 3.1.
#[inline(always)]
fn ipv4<F: Frame>(frame: &F, offset: u32) -> Result<Datagram, Unread> {
    let [version, _, t0, t1, i0, i1, f0, f1] = read(frame, offset)?;
    let [_, protocol] = read(frame, offset + 8)?;
    let source = mapped(read(frame, offset + 12)?);
    let destination = mapped(read(frame, offset + 16)?);
    let header = u32::from(version & 0x0f) * 4;
    if version >> 4 != 4 || header < 20 {
        return Err(Unread::NotIp);
    }
    let id = u32::from(u16::from_be_bytes([i0, i1]));
    let fragment = u16::from_be_bytes([f0, f1]);
    let transport = offset + header;
    Ok(Datagram {
        source,
        destination,
        protocol,
        part: part(fragment & 0x2000 != 0, fragment & 0x1fff, id),
        transport,
        end: end(
            frame,
            offset + u32::from(u16::from_be_bytes([t0, t1])),
            transport,
        ),
    })
}

/// RFC 8200 3 and 4.
#[inline(always)]
fn ipv6<F: Frame>(frame: &F, offset: u32) -> Result<Datagram, Unread> {
    let [version, _, _, _, p0, p1, mut next, _] = read(frame, offset)?;
    if version >> 4 != 6 {
        return Err(Unread::NotIp);
    }
    let source = words(read(frame, offset + 8)?);
    let destination = words(read(frame, offset + 24)?);
    let stated = offset + 40 + u32::from(u16::from_be_bytes([p0, p1]));
    let mut transport = offset + 40;
    let mut piece = Part::Whole;
    for _ in 0..MAX_EXTENSIONS {
        if !is_extension(next) {
            break;
        }
        let [following, length, o0, o1, i0, i1, i2, i3] = read(frame, transport)?;
        transport += match next {
            FRAGMENT => 8,
            // Its length counts words of four bytes (RFC 4302 2.2).
            AUTHENTICATION => (u32::from(length) + 2) * 4,
            _ => (u32::from(length) + 1) * 8,
        };
        if next == FRAGMENT {
            // RFC 8200 4.5. What follows in a later one is data, not headers.
            let field = u16::from_be_bytes([o0, o1]);
            piece = part(
                field & 1 != 0,
                field >> 3,
                u32::from_be_bytes([i0, i1, i2, i3]),
            );
        }
        next = following;
        if matches!(piece, Part::Later(_)) {
            break;
        }
    }
    if is_extension(next) && !matches!(piece, Part::Later(_)) {
        return Err(Unread::Extensions);
    }
    Ok(Datagram {
        source,
        destination,
        protocol: next,
        part: piece,
        transport,
        end: end(frame, stated, transport),
    })
}

/// Hop-by-hop options, routing, fragment, authentication, destination options; mobility, HIP and
/// shim6, which are laid out alike (RFC 6564).
#[inline(always)]
const fn is_extension(next: u8) -> bool {
    matches!(
        next,
        0 | 43 | FRAGMENT | AUTHENTICATION | 60 | 135 | 139 | 140
    )
}

#[inline(always)]
const fn part(more: bool, offset: u16, id: u32) -> Part {
    match (offset, more) {
        (0, false) => Part::Whole,
        (0, true) => Part::First(id),
        _ => Part::Later(id),
    }
}

/// Where a datagram ends: where its header says, if that is inside the frame and after the
/// headers, else with the frame.
#[inline(always)]
fn end<F: Frame>(frame: &F, stated: u32, transport: u32) -> u32 {
    if stated > transport && stated <= frame.size() {
        stated
    } else {
        frame.size()
    }
}

#[inline(always)]
fn read<F: Frame, const N: usize>(frame: &F, offset: u32) -> Result<[u8; N], Unread> {
    frame.read(offset).ok_or(Unread::Truncated)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bytes(Vec<u8>);

    impl Frame for Bytes {
        fn size(&self) -> u32 {
            self.0.len() as u32
        }

        fn read<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
            self.0.get(offset as usize..)?.first_chunk().copied()
        }
    }

    /// Ethernet, the tags, and IPv4 without options that carries `payload` bytes of UDP.
    fn ipv4(tags: &[[u8; 4]], flags: [u8; 2], payload: usize) -> Bytes {
        let mut frame = vec![2; 12];
        frame.extend(tags.concat());
        frame.extend([0x08, 0x00, 0x45, 0]);
        frame.extend((20 + payload as u16).to_be_bytes());
        frame.extend([
            0, 7, flags[0], flags[1], 64, UDP, 0, 0, 10, 0, 0, 9, 10, 0, 0, 1,
        ]);
        frame.resize(frame.len() + payload, 0);
        Bytes(frame)
    }

    #[test]
    fn padding_is_not_payload() {
        let mut frame = ipv4(&[], [0, 0], 8);
        frame.0.resize(60, 0);
        let datagram = parse(&frame, Link::Ethernet).unwrap();
        assert_eq!((datagram.transport, datagram.end), (34, 42));
        assert_eq!(
            (datagram.source, datagram.destination),
            (mapped([10, 0, 0, 9]), mapped([10, 0, 0, 1]))
        );
    }

    #[test]
    fn a_length_that_cannot_be_is_not_believed() {
        for stated in [0_u16, 20, 9_000] {
            let mut frame = ipv4(&[], [0, 0], 8);
            frame.0[16..18].copy_from_slice(&stated.to_be_bytes());
            assert_eq!(parse(&frame, Link::Ethernet).unwrap().end, 42, "{stated}");
        }
    }

    #[test]
    fn two_tags_are_followed_and_three_are_not() {
        let tag = [0x81, 0, 0, 5];
        assert_eq!(
            parse(&ipv4(&[tag; 2], [0, 0], 8), Link::Ethernet)
                .unwrap()
                .transport,
            42
        );
        assert_eq!(
            parse(&ipv4(&[tag; 3], [0, 0], 8), Link::Ethernet),
            Err(Unread::NotIp)
        );
    }

    #[test]
    fn fragments_are_told_apart() {
        let part = |flags| parse(&ipv4(&[], flags, 8), Link::Ethernet).unwrap().part;
        assert_eq!(part([0x40, 0]), Part::Whole);
        assert_eq!(part([0x20, 0]), Part::First(7));
        assert_eq!(part([0x20, 1]), Part::Later(7));
        assert_eq!(part([0x00, 1]), Part::Later(7));
    }

    #[test]
    fn no_frame_makes_it_overflow_or_panic() {
        // Every prefix of a frame, with every byte of it turned in turn.
        let frame = ipv4(&[[0x88, 0xa8, 0, 9]], [0, 0], 12).0;
        let mut six = frame.clone();
        six[16..18].copy_from_slice(&[0x86, 0xdd]);
        six[18] = 0x60;
        six.resize(200, 0);
        for original in [frame, six] {
            for end in 0..original.len() {
                for value in [0, 44, 51, 0x7f, 0xff] {
                    let mut bytes = original[..end].to_vec();
                    if let Some(last) = bytes.last_mut() {
                        *last = value;
                    }
                    bytes.resize(original.len(), value);
                    if let Ok(datagram) = parse(&Bytes(bytes), Link::Ethernet) {
                        assert!(datagram.end as usize <= original.len());
                    }
                }
                assert!(
                    parse(&Bytes(original[..end].to_vec()), Link::Ethernet).is_err() || end >= 38
                );
            }
        }
    }
}
