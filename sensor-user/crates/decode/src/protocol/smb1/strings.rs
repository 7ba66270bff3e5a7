//! The strings behind a message's words ([MS-CIFS] 2.2.1.1).

use super::block::Block;
use crate::protocol::smb::{oem, utf16};

/// Strings one after another, each ended by a zero.
pub(super) struct Strings<'a> {
    rest: &'a [u8],
    /// Where `rest` begins, counted from the header: Unicode strings lie at even places.
    at: usize,
    is_unicode: bool,
}

impl<'a> Strings<'a> {
    /// Those of a block, behind its first `skip` bytes.
    pub(super) fn new(block: &Block<'a>, skip: usize, is_unicode: bool) -> Self {
        Self {
            rest: block.bytes.get(skip..).unwrap_or_default(),
            at: block.at + skip,
            is_unicode,
        }
    }

    /// The next string; empty where there is none.
    pub(super) fn next(&mut self) -> Box<str> {
        if !self.is_unicode {
            return self.next_oem();
        }
        self.skip(self.at % 2);
        let units = self.rest.as_chunks::<2>().0;
        let length = units
            .iter()
            .position(|unit| *unit == [0, 0])
            .unwrap_or(units.len());
        let text = utf16(self.rest.get(..2 * length).unwrap_or_default());
        self.skip(2 * length + 2);
        text
    }

    /// The next string, which is never in Unicode.
    pub(super) fn next_oem(&mut self) -> Box<str> {
        let length = self.rest.iter().position(|&byte| byte == 0);
        let length = length.unwrap_or(self.rest.len());
        let text = oem(self.rest.get(..length).unwrap_or_default());
        self.skip(length + 1);
        text
    }

    /// The next string, behind the byte that says that it is one (`BufferFormat`).
    pub(super) fn next_marked(&mut self) -> Box<str> {
        self.skip(1);
        self.next()
    }

    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
        self.at += count;
    }
}
