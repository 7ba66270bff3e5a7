//! Stubs as they are laid out: NDR ([C706] chapter 14) in its two forms, with sizes and references
//! of 4 bytes, or of 8 ([MS-RPCE] 2.2.5).

use goshawk_model::rpc::Excerpt;
use uuid::Uuid;

use crate::wire::{Order, Wire};

/// Bytes of a text that are kept.
const MAX_TEXT: usize = 512;
/// Items of a list that are kept.
const MAX_LISTED: usize = 32;
/// Subauthorities of a SID ([MS-DTYP] 2.4.2: at most 15).
const MAX_SUBAUTHORITIES: u8 = 15;

/// A cursor over a stub, which aligns what it reads.
#[derive(Clone, Debug)]
pub(crate) struct Ndr<'a> {
    wire: Wire<'a>,
    whole: usize,
    syntax: Syntax,
}

/// How a stub is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Syntax {
    pub(crate) order: Order,
    pub(crate) ndr64: bool,
}

/// The 20 bytes that stand for something opened ([C706] 14.2.16.6: `ndr_context_handle`).
pub(super) type Handle = [u8; 20];

impl<'a> Ndr<'a> {
    pub(crate) fn new(stub: &'a [u8], syntax: Syntax) -> Self {
        Self {
            wire: Wire::new(stub, syntax.order),
            whole: stub.len(),
            syntax,
        }
    }

    pub(crate) fn align(&mut self, width: usize) -> Option<()> {
        let read = self.whole - self.wire.rest().len();
        self.wire.take(read.next_multiple_of(width) - read)?;
        Some(())
    }

    /// Aligns a structure that holds references.
    pub(crate) fn align_structure(&mut self) -> Option<()> {
        self.align(if self.syntax.ndr64 { 8 } else { 4 })
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        self.wire.take(count)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.wire.array()
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.align(2)?;
        self.wire.u16()
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.align(4)?;
        self.wire.u32()
    }

    /// A number of 8 bytes that is aligned to its width.
    pub(crate) fn hyper(&mut self) -> Option<u64> {
        self.align(8)?;
        self.wire.u64()
    }

    /// An `enum`, or the switch of a union over one.
    pub(crate) fn enumeration(&mut self) -> Option<u32> {
        if self.syntax.ndr64 {
            self.u32()
        } else {
            self.u16().map(u32::from)
        }
    }

    /// The switch of a union over a `long` whose arms hold references or numbers of `width` bytes.
    pub(crate) fn switch(&mut self, width: usize) -> Option<u32> {
        if self.syntax.ndr64 {
            self.align(8)?;
        }
        let value = self.u32()?;
        self.align(if self.syntax.ndr64 { 8 } else { width })?;
        Some(value)
    }

    /// A size, or the number of a reference.
    pub(crate) fn word(&mut self) -> Option<u64> {
        self.align_structure()?;
        if self.syntax.ndr64 {
            self.wire.u64()
        } else {
            self.wire.u32().map(u64::from)
        }
    }

    /// A size, as far as there could be so many bytes.
    pub(crate) fn size(&mut self) -> Option<usize> {
        let size = usize::try_from(self.word()?).ok()?;
        (size <= self.whole).then_some(size)
    }

    /// Whether a reference leads somewhere.
    pub(crate) fn reference(&mut self) -> Option<bool> {
        self.word().map(|reference| reference != 0)
    }

    pub(crate) fn handle(&mut self) -> Option<Handle> {
        self.align(4)?;
        self.array()
    }

    pub(crate) fn uuid(&mut self) -> Option<Uuid> {
        self.align(4)?;
        self.wire.uuid()
    }

    /// A conformant and varying array of 16-bit characters, without the zero at its end.
    pub(crate) fn text(&mut self) -> Option<Box<str>> {
        let length = self.varying()?;
        let bytes = self.wire.take(length.checked_mul(2)?)?;
        Some(self.characters(bytes))
    }

    /// 16-bit characters up to a zero.
    pub(crate) fn characters(&self, bytes: &[u8]) -> Box<str> {
        let mut bytes = Wire::new(bytes, self.syntax.order);
        let units = std::iter::from_fn(|| bytes.u16()).take_while(|&unit| unit != 0);
        let text = char::decode_utf16(units.take(MAX_TEXT))
            .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER));
        cut(text.collect())
    }

    /// A conformant and varying array of 8-bit characters, without the zero at its end.
    pub(crate) fn narrow_text(&mut self) -> Option<Box<str>> {
        let length = self.varying()?;
        let bytes = self.wire.take(length)?;
        let bytes = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
        let bytes = bytes.get(..MAX_TEXT).unwrap_or(bytes);
        Some(cut(String::from_utf8_lossy(bytes).into_owned()))
    }

    /// A reference as a parameter of its own, and the text that it leads to.
    pub(crate) fn maybe_text(&mut self) -> Option<Option<Box<str>>> {
        if self.reference()? {
            self.text().map(Some)
        } else {
            Some(None)
        }
    }

    /// `RPC_UNICODE_STRING` ([MS-DTYP] 2.3.10), up to its reference; whether that leads somewhere.
    pub(crate) fn string_head(&mut self) -> Option<bool> {
        self.align_structure()?;
        let (_length, _maximum) = (self.u16()?, self.u16()?);
        self.reference()
    }

    /// `RPC_UNICODE_STRING` as a parameter of its own.
    pub(crate) fn string(&mut self) -> Option<Box<str>> {
        if self.string_head()? {
            self.text()
        } else {
            Some(Box::default())
        }
    }

    /// An array of `count` times `RPC_UNICODE_STRING`.
    pub(crate) fn strings(&mut self, count: usize) -> Option<Excerpt<Box<str>>> {
        self.array_of(count, Self::string_head, Self::text)
    }

    /// An array of `count` references to texts.
    pub(crate) fn texts(&mut self, count: usize) -> Option<Excerpt<Box<str>>> {
        self.array_of(count, Self::reference, Self::text)
    }

    /// An array of `count` references to SIDs.
    pub(crate) fn sids(&mut self, count: usize) -> Option<Excerpt<Box<str>>> {
        self.array_of(count, Self::reference, Self::sid)
    }

    /// `RPC_SID` ([MS-DTYP] 2.4.2.3), in the form of 2.4.2.1.
    pub(crate) fn sid(&mut self) -> Option<Box<str>> {
        let _max_count = self.word()?;
        self.align(4)?;
        sid(&mut self.wire)
    }

    /// The sizes of a conformant and varying array; its length.
    pub(crate) fn varying(&mut self) -> Option<usize> {
        let _max_count = self.word()?;
        let _offset = self.word()?;
        self.size()
    }

    /// An array of `count` heads, and then the bodies of those that have one.
    fn array_of(
        &mut self,
        count: usize,
        mut head: impl FnMut(&mut Self) -> Option<bool>,
        mut body: impl FnMut(&mut Self) -> Option<Box<str>>,
    ) -> Option<Excerpt<Box<str>>> {
        let mut present = Vec::new();
        for _ in 0..count {
            let is_present = head(self)?;
            if present.len() < MAX_LISTED {
                present.push(is_present);
            }
        }
        let mut first = Vec::with_capacity(present.len());
        for is_present in present {
            first.push(if is_present {
                body(self)?
            } else {
                Box::default()
            });
        }
        let total = u32::try_from(count).ok()?;
        Some(Excerpt { first, total })
    }
}

/// A SID ([MS-DTYP] 2.4.2.2) as text (2.4.2.1).
pub(crate) fn sid(wire: &mut Wire<'_>) -> Option<Box<str>> {
    let [_revision, count] = wire.array()?;
    if count > MAX_SUBAUTHORITIES {
        return None;
    }
    let authority: [u8; 6] = wire.array()?;
    let authority = authority
        .iter()
        .fold(0, |sum, &byte| sum << 8 | u64::from(byte));
    let mut sid = format!("S-1-{authority}");
    for _ in 0..count {
        sid.push_str(&format!("-{}", wire.u32()?));
    }
    Some(sid.into())
}

/// The first of `items`, and how many there are.
pub(crate) fn excerpt<T>(items: impl Iterator<Item = T>) -> Excerpt<T> {
    let (mut first, mut total) = (Vec::new(), 0);
    for item in items {
        total += 1;
        if first.len() < MAX_LISTED {
            first.push(item);
        }
    }
    Excerpt { first, total }
}

/// The text, bounded, without what would break the lines it is printed in.
fn cut(mut text: String) -> Box<str> {
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    text.replace(char::is_control, "\u{fffd}").into()
}
