//! Names as NetBIOS writes them (RFC 1001 14.1): 16 bytes, each as two letters.

use domain::base::name::ParsedName;
use goshawk_model::netbios::NetbiosName;

/// Bytes of a name with its suffix.
const LENGTH: usize = 16;

/// The name whose first label is an encoded one; `None` if it is not.
pub(super) fn decode(name: &ParsedName<&[u8]>) -> Option<NetbiosName> {
    decode_label(name.first().as_slice())
}

/// A label of 32 letters from `A` to `P`, each half a byte.
pub(super) fn decode_label(label: &[u8]) -> Option<NetbiosName> {
    let half = |letter: u8| {
        let half = letter.to_ascii_uppercase().checked_sub(b'A')?;
        (half < 16).then_some(half)
    };
    let (pairs, []) = label.as_chunks::<2>() else {
        return None;
    };
    let mut bytes = [0; LENGTH];
    if pairs.len() != LENGTH {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = half(*high)? << 4 | half(*low)?;
    }
    Some(plain(&bytes))
}

/// A name that is not encoded.
pub(super) fn plain(bytes: &[u8; LENGTH]) -> NetbiosName {
    let (suffix, name) = bytes.split_last().unwrap_or((&0, &[]));
    NetbiosName {
        name: text(name),
        suffix: *suffix,
    }
}

/// A text in the OEM code page, of which nobody tells which it is, up to its padding.
pub(super) fn text(bytes: &[u8]) -> Box<str> {
    let end = bytes.iter().position(|&byte| byte == 0);
    let text = end.and_then(|end| bytes.get(..end)).unwrap_or(bytes);
    let letters = text.iter().map(|&byte| {
        if byte.is_ascii_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            char::from(byte)
        }
    });
    letters.collect::<String>().trim_end().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(name in "[A-Z0-9-]{1,15}", suffix in any::<u8>()) {
            let mut bytes = [b' '; LENGTH];
            bytes[..name.len()].copy_from_slice(name.as_bytes());
            bytes[LENGTH - 1] = suffix;
            let label: Vec<_> = bytes.iter().flat_map(|&byte| [b'A' + (byte >> 4), b'A' + (byte & 15)]).collect();
            let expected = NetbiosName { name: name.into(), suffix };
            prop_assert_eq!(decode_label(&label), Some(expected));
            prop_assert_eq!(decode_label(&label[1..]), None);
        }

        #[test]
        fn any_label_is_survived(label in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(name) = decode_label(&label) {
                prop_assert!(label.len() == 2 * LENGTH && name.name.chars().count() < LENGTH);
            }
        }
    }
}
