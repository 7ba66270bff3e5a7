//! NTP messages with the authenticators of a domain (RFC 5905 7.3, [MS-SNTP] 2.2).

use goshawk_model::sntp::SntpForm;

use crate::wire::{Order, Wire};

/// What an NTP message says, as far as anybody reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) is_request: bool,
    /// Of a request, its transmit timestamp, which the answer repeats as its origin timestamp.
    pub(super) stamp: u64,
    pub(super) authenticator: Option<Authenticator>,
}

/// Whose key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Authenticator {
    pub(super) form: SntpForm,
    pub(super) rid: u32,
    pub(super) old_key: bool,
    /// Whether there is a checksum.
    pub(super) is_signed: bool,
}

/// Length of a message without an authenticator.
const PLAIN: usize = 48;
/// Lengths of the authenticators ([MS-SNTP] 2.2).
const BASIC: usize = 20;
const EXTENDED: usize = 72;
/// `Key Selector`, the topmost bit of `Key Identifier` ([MS-SNTP] 2.2.1).
const KEY_SELECTOR: u32 = 1 << 31;
/// `USE_OLDKEY_VERSION` ([MS-SNTP] 2.2.3).
const USE_OLDKEY_VERSION: u8 = 1;

const SYMMETRIC_ACTIVE: u8 = 1;
const SYMMETRIC_PASSIVE: u8 = 2;
const CLIENT: u8 = 3;
const SERVER: u8 = 4;
const BROADCAST: u8 = 5;
const CONTROL: u8 = 6;
const PRIVATE: u8 = 7;

/// Whether `bytes` look like NTP: a version in use, and the length that the mode asks for.
pub(super) fn starts(bytes: &[u8]) -> bool {
    let Some(&first) = bytes.first() else {
        return false;
    };
    let (version, mode) = (first >> 3 & 7, first & 7);
    let least = match mode {
        SYMMETRIC_ACTIVE..=BROADCAST => PLAIN,
        // RFC 9327 2: a header of 12 bytes; ntpd's own messages have 8.
        CONTROL => 12,
        PRIVATE => 8,
        _ => return false,
    };
    (1..=4).contains(&version) && bytes.len() >= least
}

/// Reads a message that asks for the time or tells it; `None` if it does neither.
pub(super) fn parse(bytes: &[u8]) -> Option<Message> {
    let mode = bytes.first()? & 7;
    let is_request = match mode {
        CLIENT | SYMMETRIC_ACTIVE => true,
        SERVER | SYMMETRIC_PASSIVE => false,
        _ => return None,
    };
    let (header, behind) = bytes.split_at_checked(PLAIN)?;
    let at = if is_request { 40 } else { 24 };
    let stamp = Wire::new(header.get(at..)?, Order::Big).u64()?;
    Some(Message {
        is_request,
        stamp,
        authenticator: authenticator(behind),
    })
}

/// RFC 5905's own authenticator has the basic one's length, and no way to tell it from it; who
/// speaks of RIDs is up to whoever counts them.
fn authenticator(bytes: &[u8]) -> Option<Authenticator> {
    let mut wire = Wire::new(bytes, Order::Little);
    let key = wire.u32()?;
    let (form, rid, old_key) = match bytes.len() {
        BASIC => (
            SntpForm::Basic,
            key & !KEY_SELECTOR,
            key & KEY_SELECTOR != 0,
        ),
        EXTENDED => {
            // The document draws the four as one word, most significant byte first, and the word
            // is little-endian: SignatureHashID and ClientHashIDHints come before Flags.
            wire.take(2)?;
            let flags = wire.u8()?;
            let _reserved = wire.u8()?;
            (SntpForm::Extended, key, flags & USE_OLDKEY_VERSION != 0)
        }
        _ => return None,
    };
    Some(Authenticator {
        form,
        rid,
        old_key,
        is_signed: wire.rest().iter().any(|&byte| byte != 0),
    })
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_key_selector_is_no_part_of_the_rid() {
        let basic = [&0x8000_0451_u32.to_le_bytes()[..], &[0; 16]].concat();
        let expected = Authenticator {
            form: SntpForm::Basic,
            rid: 1105,
            old_key: true,
            is_signed: false,
        };
        assert_eq!(authenticator(&basic), Some(expected));
        let extended = [&1105_u32.to_le_bytes()[..], &[1, 0, 1, 0], &[7; 64]].concat();
        let expected = Authenticator {
            form: SntpForm::Extended,
            is_signed: true,
            ..expected
        };
        assert_eq!(authenticator(&extended), Some(expected));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..130)) {
            if parse(&bytes).is_some() {
                prop_assert!(bytes.len() >= PLAIN);
            }
            starts(&bytes);
        }
    }
}
