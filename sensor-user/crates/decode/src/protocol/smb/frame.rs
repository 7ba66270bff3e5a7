//! Frames on TCP: NetBIOS session packets (RFC 1002 4.3.1), which direct TCP transport has kept,
//! with a longer length ([MS-SMB2] 2.1).

/// Length of a frame's header.
pub(super) const HEADER: usize = 4;
/// Bytes that tell whether a stream begins with a frame of SMB.
pub(super) const TELLING: usize = HEADER + 4;

/// The shortest message: a header of SMB 1 with nothing behind. A compressed message may be
/// shorter, but none begins a conversation.
const SHORTEST: usize = 32;
/// Two encoded names of 34 bytes make a session request (RFC 1002 4.3.2).
const SESSION_REQUEST: [u8; 4] = [0x81, 0, 0, 68];
/// Each name begins with the length of its first label (RFC 1001 14.1).
const ENCODED_NAME: u8 = 32;

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    /// Bytes behind the header.
    pub(super) length: usize,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Message,
    SessionRequest,
    PositiveResponse,
    NegativeResponse,
    /// A retarget response or a keep-alive.
    Other,
}

/// The protocol identifier that begins a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Magic {
    Smb1,
    Smb2,
    /// A transform header ([MS-SMB2] 2.2.41).
    Sealed,
    /// A compression transform header ([MS-SMB2] 2.2.42).
    Compressed,
}

impl Header {
    /// `None` if `bytes` begin with no header of a frame.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let &[kind, high, middle, low, ..] = bytes else {
            return None;
        };
        let kind = match kind {
            0x00 => Kind::Message,
            0x81 => Kind::SessionRequest,
            0x82 => Kind::PositiveResponse,
            0x83 => Kind::NegativeResponse,
            0x84 | 0x85 => Kind::Other,
            _ => return None,
        };
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        // All but messages are short; a longer one would be nobody's.
        (kind == Kind::Message || length <= SESSION_REQUEST[3].into())
            .then_some(Self { kind, length })
    }
}

impl Magic {
    /// What begins with these bytes.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xff, b'S', b'M', b'B', ..] => Some(Self::Smb1),
            [0xfe, b'S', b'M', b'B', ..] => Some(Self::Smb2),
            [0xfd, b'S', b'M', b'B', ..] => Some(Self::Sealed),
            [0xfc, b'S', b'M', b'B', ..] => Some(Self::Compressed),
            _ => None,
        }
    }
}

/// Whether a message, or a session request, begins with these bytes.
pub(super) fn starts(bytes: &[u8]) -> bool {
    match bytes.split_first_chunk() {
        Some((&SESSION_REQUEST, rest)) => rest.first() == Some(&ENCODED_NAME),
        Some((header, rest)) => {
            Header::parse(header)
                .is_some_and(|it| it.kind == Kind::Message && it.length >= SHORTEST)
                && Magic::of(rest).is_some()
        }
        None => false,
    }
}

/// Whether fewer bytes than [`TELLING`] may begin one.
pub(super) fn may_start(bytes: &[u8]) -> bool {
    let message = [0..=0, 0..=0xff, 0..=0xff, 0..=0xff, 0xfc..=0xff];
    let fits = |bytes: &[u8]| {
        let known = bytes.iter().zip(&message);
        known.into_iter().all(|(byte, range)| range.contains(byte))
    };
    fits(bytes) || SESSION_REQUEST.starts_with(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_session_requests_begin_a_stream() {
        let message = [0, 0, 0, 64, 0xfe, b'S', b'M', b'B'];
        let request = [0x81, 0, 0, 68, 32, b'C', b'K', b'F'];
        for bytes in [message, request] {
            assert!(starts(&bytes));
            for length in 0..5 {
                assert!(may_start(&bytes[..length]), "{bytes:x?} {length}");
            }
        }
        let strange: [&[u8]; 5] = [
            &[0, 0, 0, 64, 0xfb, b'S', b'M', b'B'],
            &[0, 0, 0, 8, 0xfe, b'S', b'M', b'B'],
            &[0x81, 0, 0, 68, 33, b'C', b'K', b'F'],
            &[0x85, 0, 0, 0],
            b"GET / HT",
        ];
        for bytes in strange {
            assert!(!starts(bytes), "{bytes:x?}");
        }
        assert!(!may_start(b"GET"));
        assert!(!may_start(&[0, 0, 0, 64, 0x6a]));
    }

    #[test]
    fn a_length_has_three_bytes() {
        let header = Header::parse(&[0, 0x81, 0, 2]);
        assert_eq!(header.map(|it| it.length), Some(0x81_0002));
        assert_eq!(Header::parse(&[0x85, 1, 0, 0]), None);
        assert_eq!(Header::parse(&[0, 1, 0]), None);
    }
}
