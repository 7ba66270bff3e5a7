//! The tag-length-value reader that Kerberos and SPNEGO need (X.690).
//!
//! It is more tolerant than DER on purpose. Domain controllers accept lengths in more bytes than
//! needed, names outside ASCII in `GeneralString`, negative nonces and unknown trailing fields; a
//! reader that refuses what a controller accepts is a reader to hide from. It copies nothing, does
//! not recurse, and believes no length beyond the bytes at hand.

/// One value: its identifier octet and its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
}

/// `SEQUENCE`, constructed.
pub(crate) const SEQUENCE: u8 = 0x30;
/// `OBJECT IDENTIFIER`.
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
/// `ENUMERATED`.
pub(crate) const ENUMERATED: u8 = 0x0a;
/// `OCTET STRING`, primitive.
pub(crate) const OCTET_STRING: u8 = 0x04;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const CONTEXT_CONSTRUCTED: u8 = 0xa0;
/// Tag numbers from 31 on take further octets; nothing we read has one.
const HIGH_TAG_NUMBER: u8 = 0x1f;

/// Tag, length of the header and length of the contents of the value that `bytes` begins with,
/// whether or not the contents are all there.
pub(crate) fn header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    if tag & HIGH_TAG_NUMBER == HIGH_TAG_NUMBER {
        return None;
    }
    if first < 0x80 {
        return Some((tag, 2, usize::from(first)));
    }
    // 0x80 alone is the indefinite form, which RFC 4120 5 rules out.
    let count = usize::from(first & 0x7f);
    if !(1..=4).contains(&count) {
        return None;
    }
    let length = rest
        .get(..count)?
        .iter()
        .fold(0u32, |length, &byte| length << 8 | u32::from(byte));
    Some((tag, 2 + count, usize::try_from(length).ok()?))
}

/// The value that `bytes` begins with, and what follows it.
pub(crate) fn read(bytes: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let (tag, header, length) = header(bytes)?;
    let (content, rest) = bytes.get(header..)?.split_at_checked(length)?;
    Some((Value { tag, content }, rest))
}

/// The values in `content`, one after another; ends at the first that cannot be read.
pub(crate) fn values(mut content: &[u8]) -> impl Iterator<Item = Value<'_>> {
    std::iter::from_fn(move || {
        let (value, rest) = read(content)?;
        content = rest;
        Some(value)
    })
}

impl<'a> Value<'a> {
    /// The contents, if the tag is `tag`.
    pub(crate) fn expect(self, tag: u8) -> Option<&'a [u8]> {
        (self.tag == tag).then_some(self.content)
    }

    /// The values of a `SEQUENCE` or `SEQUENCE OF`.
    pub(crate) fn elements(self) -> Option<impl Iterator<Item = Value<'a>>> {
        self.expect(SEQUENCE).map(values)
    }

    /// What field `[number]` of a `SEQUENCE` with explicit tags wraps.
    pub(crate) fn field(self, number: u8) -> Option<Self> {
        let field = self
            .elements()?
            .find(|field| field.tag == CONTEXT_CONSTRUCTED | number)?;
        read(field.content).map(|(value, _)| value)
    }

    /// An `INTEGER` that fits 64 bits.
    pub(crate) fn integer(self) -> Option<i64> {
        let content = self.expect(INTEGER)?;
        let (&first, _) = content.split_first()?;
        if content.len() > 8 {
            return None;
        }
        let sign = i64::from(first.cast_signed() >> 7);
        Some(
            content
                .iter()
                .fold(sign, |value, &byte| value << 8 | i64::from(byte)),
        )
    }

    /// An `INTEGER` as `Int32`, the type of most numbers in Kerberos.
    pub(crate) fn int32(self) -> Option<i32> {
        i32::try_from(self.integer()?).ok()
    }

    /// An `INTEGER` as `UInt32`; old implementations send the upper half as negative numbers.
    pub(crate) fn uint32(self) -> Option<u32> {
        let value = self.integer()?;
        u32::try_from(value)
            .ok()
            .or_else(|| i32::try_from(value).ok().map(i32::cast_unsigned))
    }

    /// A `BIT STRING`'s first 32 bits, most significant first; missing ones are zero.
    pub(crate) fn bits(self) -> Option<u32> {
        let (_unused, bits) = self.expect(BIT_STRING)?.split_first()?;
        let mut word = [0; 4];
        for (to, from) in word.iter_mut().zip(bits) {
            *to = *from;
        }
        Some(u32::from_be_bytes(word))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(bytes: &[u8]) -> Value<'_> {
        read(bytes).unwrap().0
    }

    #[test]
    fn integers_of_any_width_and_sign() {
        assert_eq!(value(&[2, 1, 0x80]).int32(), Some(-128));
        assert_eq!(value(&[2, 4, 0xff, 0xff, 0xff, 0x7b]).int32(), Some(-133));
        assert_eq!(
            value(&[2, 5, 0, 0xff, 0xff, 0xff, 0xff]).uint32(),
            Some(u32::MAX)
        );
        assert_eq!(value(&[2, 1, 0xff]).uint32(), Some(u32::MAX));
        assert_eq!(value(&[2, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1]).integer(), None);
        assert_eq!(value(&[2, 0]).integer(), None);
    }

    #[test]
    fn lengths_in_more_bytes_than_needed_are_read() {
        assert_eq!(value(&[4, 0x84, 0, 0, 0, 2, 7, 8]).content, [7, 8]);
    }

    #[test]
    fn indefinite_and_overlong_lengths_are_refused() {
        assert_eq!(read(&[0x30, 0x80, 0, 0]), None);
        assert_eq!(read(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0]), None);
        assert_eq!(read(&[0x30, 3, 1, 2]), None);
    }

    #[test]
    fn fields_are_found_by_their_tag() {
        let sequence = [0x30, 10, 0xa1, 3, 2, 1, 5, 0xa2, 3, 2, 1, 10];
        assert_eq!(value(&sequence).field(2).and_then(Value::integer), Some(10));
        assert_eq!(value(&sequence).field(3), None);
    }

    #[test]
    fn short_bit_strings_are_padded() {
        assert_eq!(value(&[3, 2, 0, 0x40]).bits(), Some(0x4000_0000));
        assert_eq!(
            value(&[3, 5, 0, 0x40, 0x81, 0, 0x10]).bits(),
            Some(0x4081_0010)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            for value in values(&bytes) {
                prop_assert!(value.content.len() < bytes.len());
                let _ = (value.integer(), value.bits(), value.field(1));
            }
        }
    }
}
