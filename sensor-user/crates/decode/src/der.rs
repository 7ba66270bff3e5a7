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

/// A message whose end is missing, made whole without it: the values that are cut are left out,
/// and those around them end where the last whole one does.
pub(crate) fn mended(cut: &[u8]) -> Vec<u8> {
    const CONSTRUCTED: u8 = 0x20;
    /// Deeper than any message is; what lies deeper is left out.
    const MAX_DEPTH: usize = 32;
    // Where the lengths are of the values that are open, and where their contents begin.
    let mut open = Vec::new();
    let mut at = 0;
    while let Some(rest) = cut.get(at..)
        && let Some((tag, header, length)) = header(rest)
    {
        let contents = at + header;
        if contents.saturating_add(length) <= cut.len() {
            at = contents + length;
        } else if tag & CONSTRUCTED != 0 && open.len() < MAX_DEPTH {
            open.push((at + 1, contents));
            at = contents;
        } else {
            break;
        }
    }
    let mut mended = cut.get(..at).unwrap_or(cut).to_vec();
    for (length_at, contents) in open {
        let Some(octets) = mended.get_mut(length_at..contents) else {
            continue;
        };
        // As many octets as there were: what is left is shorter, and the reader minds no zeros.
        let mut length = at - contents;
        let of_length = match octets {
            [single] => std::slice::from_mut(single),
            [_count, of_length @ ..] => of_length,
            [] => continue,
        };
        for octet in of_length.iter_mut().rev() {
            *octet = (length & 0xff) as u8;
            length >>= 8;
        }
    }
    mended
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

    /// What the fields `[0]` to `[N - 1]` of a `SEQUENCE` with explicit tags wrap: all of them in
    /// one pass. Of a field that occurs twice, the first counts.
    pub(crate) fn numbered<const N: usize>(self) -> Option<[Option<Self>; N]> {
        let mut fields = [None; N];
        for field in self.elements()? {
            let number = usize::from(field.tag ^ CONTEXT_CONSTRUCTED);
            if let Some(slot @ None) = fields.get_mut(number) {
                *slot = read(field.content).map(|(value, _)| value);
            }
        }
        Some(fields)
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
    fn fields_are_numbered_in_one_pass() {
        let sequence = [
            0x30, 15, 0xa1, 3, 2, 1, 5, 0xa2, 3, 2, 1, 10, 0xa1, 3, 2, 1, 7,
        ];
        let [zero, one, two] = value(&sequence).numbered().unwrap();
        assert_eq!(zero, None);
        assert_eq!(one.and_then(Value::integer), Some(5));
        assert_eq!(two.and_then(Value::integer), Some(10));
    }

    #[test]
    fn what_is_cut_is_left_out() {
        let whole = [0x30, 0x81, 10, 0xa1, 3, 2, 1, 5, 0xa2, 3, 2, 1, 10];
        for (length, one, two) in [
            (13, Some(5), Some(10)),
            (12, Some(5), None),
            (8, Some(5), None),
            (7, None, None),
            (3, None, None),
        ] {
            let mended = mended(&whole[..length]);
            let [_, first, second] = value(&mended).numbered().unwrap();
            let read = |field: Option<Value<'_>>| field.and_then(Value::integer);
            assert_eq!((read(first), read(second)), (one, two), "{length}");
        }
        assert_eq!(mended(&whole[..2]), [0; 0]);
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
            let mended = mended(&bytes);
            prop_assert!(mended.len() <= bytes.len());
            prop_assert!(mended.is_empty() || read(&mended).is_some());
        }
    }
}
