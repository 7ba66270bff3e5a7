//! The values of a message, which may be cut: of one that is too long to be held, or whose rest was
//! lost, what is there is read all the same.

use crate::der;

/// Values one after another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ber<'a> {
    rest: &'a [u8],
    /// Whether bytes behind `rest` are missing.
    cut: bool,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: Ber<'a>,
}

impl<'a> Ber<'a> {
    pub(super) fn new(bytes: &'a [u8], cut: bool) -> Self {
        Self { rest: bytes, cut }
    }

    /// The bytes that were not read yet.
    pub(super) fn bytes(self) -> &'a [u8] {
        self.rest
    }

    /// Whether bytes behind them are missing.
    pub(super) fn is_cut(self) -> bool {
        self.cut
    }

    /// The tag of the next value.
    pub(super) fn tag(self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next value; what there is of it, if the rest is missing. `None` at the end, and where
    /// there is no value.
    pub(super) fn element(&mut self) -> Option<Element<'a>> {
        let (tag, header, length) = der::header(self.rest)?;
        let behind = self.rest.get(header..)?;
        let (content, cut) = match behind.split_at_checked(length) {
            Some((content, rest)) => {
                self.rest = rest;
                (content, false)
            }
            None if self.cut => {
                self.rest = &[];
                (behind, true)
            }
            None => return None,
        };
        Some(Element {
            tag,
            content: Self::new(content, cut),
        })
    }

    /// The next value's contents.
    pub(super) fn octets(&mut self) -> Option<&'a [u8]> {
        self.element().map(|element| element.content.rest)
    }

    /// The next value, if its tag is `tag`; otherwise it stays.
    pub(super) fn optional(&mut self, tag: u8) -> Option<Self> {
        if self.tag() != Some(tag) {
            return None;
        }
        self.element().map(|element| element.content)
    }

    /// The next value as the number that it is: `INTEGER`, `ENUMERATED` or `BOOLEAN`. One that no
    /// field has room for is the largest.
    pub(super) fn number(&mut self) -> Option<u32> {
        let content = self.octets().filter(|content| !content.is_empty())?;
        let number = content.iter().fold(0u64, |value, &byte| {
            value.saturating_mul(256).saturating_add(byte.into())
        });
        Some(u32::try_from(number).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_ends_only_what_is_cut() {
        let bytes = [0x30, 5, 4, 3, b'a'];
        assert!(Ber::new(&bytes, false).element().is_none());
        let mut inner = Ber::new(&bytes, true).element().unwrap().content;
        assert!(inner.is_cut());
        assert_eq!(inner.octets(), Some(&b"a"[..]));
        assert!(inner.element().is_none());
    }

    #[test]
    fn numbers_of_any_width() {
        assert_eq!(Ber::new(&[2, 1, 5], false).number(), Some(5));
        assert_eq!(Ber::new(&[10, 3, 0, 1, 0], false).number(), Some(256));
        assert_eq!(
            Ber::new(&[2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0], false).number(),
            Some(u32::MAX)
        );
        assert_eq!(Ber::new(&[2, 0], false).number(), None);
    }
}
