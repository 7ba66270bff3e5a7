//! Text of SMB: UTF-16 in little-endian order, or the OEM code page of old clients, bounded.

/// Bytes of a text that are kept.
pub(crate) const MAX_TEXT: usize = 1024;

/// UTF-16 text; what is no character becomes U+FFFD.
pub(crate) fn utf16(bytes: &[u8]) -> Box<str> {
    let bytes = bytes.get(..2 * MAX_TEXT).unwrap_or(bytes);
    let units = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|&unit| u16::from_le_bytes(unit));
    let text: String = char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    bounded(&text)
}

/// Text in a code page that is not known: its ASCII characters.
pub(crate) fn oem(bytes: &[u8]) -> Box<str> {
    let bytes = bytes.get(..MAX_TEXT).unwrap_or(bytes);
    bounded(&String::from_utf8_lossy(bytes))
}

/// Without what follows a zero, and not too long.
fn bounded(text: &str) -> Box<str> {
    let text = text.split('\0').next().unwrap_or_default();
    text[..text.floor_char_boundary(MAX_TEXT)].into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text in "[^\0]{0,200}") {
            prop_assert_eq!(&*utf16(&encode(&text)), &text);
            prop_assert_eq!(&*oem(text.as_bytes()), &text);
        }

        #[test]
        fn any_bytes_stay_within_the_bound(bytes in proptest::collection::vec(any::<u8>(), 0..5000)) {
            prop_assert!(utf16(&bytes).len() <= MAX_TEXT);
            prop_assert!(oem(&bytes).len() <= MAX_TEXT);
        }
    }

    #[test]
    fn half_a_character_is_replaced() {
        assert_eq!(&*utf16(&[0x00, 0xd8, b'a', 0, 0, 0, b'b', 0]), "\u{fffd}a");
    }
}
