//! The header of a ring record.

/// Where a frame was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Direction {
    /// Arriving at the interface.
    Ingress = 0,
    /// Leaving by it.
    Egress = 1,
}

/// What a frame begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Link {
    /// An Ethernet header.
    Ethernet = 0,
    /// An IP header: what was in a tunnel that carries no Ethernet.
    Ip = 1,
}

/// What stands before the bytes of each ring record.
///
/// A frame larger than one record takes several, in order of their offsets and with the same
/// `packet`; the frame is whole when `offset + len` reaches `frame_len`. The records of one CPU
/// are in order, those of different CPUs interleave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Header {
    /// When the frame was seen: nanoseconds since boot, suspend included.
    pub time: u64,
    /// Names the frame: the CPU in the upper 16 bits, a count of that CPU's below.
    pub packet: u64,
    /// Bytes of the whole frame.
    pub frame_len: u32,
    /// Place of this record's bytes in the frame.
    pub offset: u32,
    /// Number of this record's bytes.
    pub len: u32,
    /// Index of the interface.
    pub ifindex: u32,
    /// A [`Direction`].
    pub direction: u32,
    /// A [`Link`].
    pub link: u32,
}

/// Size of a [`Header`].
pub const HEADER_LEN: usize = size_of::<Header>();

const _: () = assert!(HEADER_LEN == 40 && align_of::<Header>() == 8);

impl Header {
    /// Splits a ring record into its header and its bytes. `None` if the record is shorter than
    /// it says: it was not written by this version of the program.
    pub fn split(record: &[u8]) -> Option<(Self, &[u8])> {
        let (head, body) = record.split_first_chunk::<HEADER_LEN>()?;
        let word =
            |at: usize| u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let long = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&head[at..at + 8]);
            u64::from_ne_bytes(bytes)
        };
        let header = Self {
            time: long(0),
            packet: long(8),
            frame_len: word(16),
            offset: word(20),
            len: word(24),
            ifindex: word(28),
            direction: word(32),
            link: word(36),
        };
        Some((header, body.get(..header.len as usize)?))
    }

    /// What the frame begins with; `None` if it is nothing that this version knows.
    pub const fn link(&self) -> Option<Link> {
        match self.link {
            0 => Some(Link::Ethernet),
            1 => Some(Link::Ip),
            _ => None,
        }
    }

    /// The CPU that saw the frame.
    pub const fn cpu(&self) -> u16 {
        (self.packet >> 48) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record as the program writes it: the header's fields in order, then the bytes.
    fn record(len: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&7_u64.to_ne_bytes());
        bytes.extend_from_slice(&((3_u64 << 48) | 9).to_ne_bytes());
        for word in [100, 60, len, 2, Direction::Egress as u32, 1] {
            bytes.extend_from_slice(&word.to_ne_bytes());
        }
        bytes.extend_from_slice(body);
        bytes
    }

    #[test]
    fn splits_into_fields_and_bytes() {
        // Two bytes more than the record says: the rest of its size class.
        let bytes = record(3, &[1, 2, 3, 0, 0]);
        let (header, body) = Header::split(&bytes).unwrap();
        let expected = Header {
            time: 7,
            packet: (3 << 48) | 9,
            frame_len: 100,
            offset: 60,
            len: 3,
            ifindex: 2,
            direction: Direction::Egress as u32,
            link: Link::Ip as u32,
        };
        assert_eq!((header, body), (expected, &[1, 2, 3][..]));
        assert_eq!((header.cpu(), header.link()), (3, Some(Link::Ip)));
    }

    #[test]
    fn a_record_that_lies_about_its_length_is_refused() {
        assert_eq!(Header::split(&record(4, &[1, 2, 3])), None);
        assert_eq!(Header::split(&record(0, &[])[..HEADER_LEN - 1]), None);
    }
}
