//! A message's fixed part, and the payload that it points into ([MS-NLMP] 2.2).

use std::ops::Range;

use goshawk_model::ntlm::{NtlmVersion, flag};

use crate::wire::{Order, Wire};

/// Texts kept are no longer, bytes.
const MAX_TEXT: usize = 256;

/// A message read from its beginning.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    message: &'a [u8],
    wire: Wire<'a>,
    payload: usize,
}

impl<'a> Fields<'a> {
    /// Behind the signature.
    pub(super) fn new(message: &'a [u8], signature: &[u8]) -> Option<Self> {
        let rest = message.strip_prefix(signature)?;
        Some(Self {
            message,
            wire: Wire::new(rest, Order::Little),
            payload: message.len(),
        })
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.wire.u32()
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        self.wire.take(count)
    }

    /// Goes on behind `count` bytes, if there are so many.
    pub(super) fn skip(&mut self, count: usize) {
        let _ = self.wire.take(count);
    }

    /// A `Len`, `MaxLen`, `BufferOffset` triple, and what it points to. Where nothing is, the
    /// offset means nothing.
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.wire.u16()?);
        let _max_length = self.wire.u16()?;
        let offset = usize::try_from(self.wire.u32()?).ok()?;
        if length == 0 {
            return Some(&[]);
        }
        let bytes = self.message.get(offset..)?.get(..length)?;
        self.payload = self.payload.min(offset);
        Some(bytes)
    }

    /// Where the payload begins, as far as the triples read so far tell.
    pub(super) fn payload(&self) -> usize {
        self.payload
    }

    /// What is at `range`, if that lies before the payload.
    pub(super) fn before_payload(&self, range: Range<usize>) -> Option<&'a [u8]> {
        self.message
            .get(range.clone())
            .filter(|_| range.end <= self.payload)
    }

    /// `VERSION` ([MS-NLMP] 2.2.2.10) at this place, if `flags` say that it is used and it lies
    /// before the payload.
    pub(super) fn version(&mut self, flags: u32) -> Option<NtlmVersion> {
        let at = self.message.len() - self.wire.rest().len();
        let bytes = self.before_payload(at..at + 8)?;
        self.skip(8);
        let mut wire = Wire::new(bytes, Order::Little);
        let (major, minor, build) = (wire.u8()?, wire.u8()?, wire.u16()?);
        let [.., revision] = wire.array::<4>()?;
        (flags & flag::VERSION != 0).then_some(NtlmVersion {
            major,
            minor,
            build,
            revision,
        })
    }
}

/// A text in UTF-16, or in the OEM code page; `None` if it is empty. Which code page that is
/// nobody says: UTF-8 is what Unix clients send, Latin-1 keeps different names apart.
pub(super) fn text(bytes: &[u8], unicode: bool) -> Option<Box<str>> {
    let bytes = bytes.get(..2 * MAX_TEXT).unwrap_or(bytes);
    let mut text: String = if unicode {
        let units = bytes
            .as_chunks()
            .0
            .iter()
            .map(|unit| u16::from_le_bytes(*unit));
        char::decode_utf16(units)
            .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect()
    } else {
        match str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
        }
    };
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    let text = text.trim_end_matches('\0');
    (!text.is_empty()).then(|| text.into())
}
