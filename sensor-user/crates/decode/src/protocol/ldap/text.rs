//! Texts as they are kept: cut, and readable.

use std::fmt::Write;

/// Longest DN kept, bytes.
pub(super) const MAX_DN: usize = 512;
/// Longest value kept, bytes.
pub(super) const MAX_VALUE: usize = 256;
/// Longest OID kept, bytes.
pub(super) const MAX_OID: usize = 128;

/// At most `max` bytes of a text.
pub(super) fn cut(bytes: &[u8], max: usize) -> Box<str> {
    let kept = bytes.get(..max).unwrap_or(bytes);
    match std::str::from_utf8(kept) {
        Ok(text) => text.into(),
        // The cut went through a character.
        Err(error) if error.error_len().is_none() && kept.len() < bytes.len() => {
            let whole = kept.get(..error.valid_up_to()).unwrap_or_default();
            String::from_utf8_lossy(whole).into()
        }
        Err(_) => String::from_utf8_lossy(kept).into(),
    }
}

/// Appends an assertion value as RFC 4515 3 writes it. What is no text is escaped byte by byte.
pub(super) fn escape(value: &[u8], out: &mut impl Write) -> std::fmt::Result {
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            if matches!(character, '*' | '(' | ')' | '\\') || character.is_control() {
                let mut buffer = [0; 4];
                hex(character.encode_utf8(&mut buffer).as_bytes(), out)?;
            } else {
                out.write_char(character)?;
            }
        }
        hex(chunk.invalid(), out)?;
    }
    Ok(())
}

/// A text that grows up to a bound; what goes beyond is left out, and told.
#[derive(Debug)]
pub(super) struct Bounded {
    text: String,
    max: usize,
    full: bool,
}

impl Bounded {
    pub(super) fn new(max: usize) -> Self {
        Self {
            text: String::new(),
            max,
            full: false,
        }
    }

    /// Whether something was left out.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    pub(super) fn into_text(self) -> Box<str> {
        self.text.into()
    }
}

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if self.full {
            return Err(std::fmt::Error);
        }
        let room = self.max - self.text.len();
        if text.len() > room {
            self.full = true;
            let fits = text.floor_char_boundary(room);
            self.text.push_str(text.get(..fits).unwrap_or_default());
            return Err(std::fmt::Error);
        }
        self.text.push_str(text);
        Ok(())
    }
}

/// An assertion value, cut.
pub(super) fn value(value: &[u8]) -> Box<str> {
    let mut text = Bounded::new(MAX_VALUE);
    // An error says only that it is full.
    let _ = escape(value, &mut text);
    text.into_text()
}

fn hex(bytes: &[u8], out: &mut impl Write) -> std::fmt::Result {
    bytes
        .iter()
        .try_for_each(|byte| write!(out, "\\{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_text_is_escaped() {
        assert_eq!(&*value("Müller (a*b)".as_bytes()), "Müller \\28a\\2ab\\29");
        assert_eq!(&*value(&[1, 5, 0xff, b'a']), "\\01\\05\\ffa");
    }

    proptest! {
        #[test]
        fn texts_are_bounded(bytes in proptest::collection::vec(any::<u8>(), 0..40), max in 0..30usize) {
            // A byte that is no text becomes U+FFFD, three bytes.
            prop_assert!(cut(&bytes, max).len() <= 3 * max);
            let long = bytes.repeat(60);
            prop_assert!(value(&long).len() <= MAX_VALUE);
        }
    }
}
