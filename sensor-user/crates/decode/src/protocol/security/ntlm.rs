//! NTLM: the names in an AUTHENTICATE message, and nothing that could be cracked.

use goshawk_model::Account;

use crate::wire::{Order, Wire};

/// What an NTLM message says ([MS-NLMP] 2.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// NEGOTIATE or CHALLENGE: no names of the client yet.
    Other,
    Authenticate(Authenticate),
}

/// Names in AUTHENTICATE_MESSAGE ([MS-NLMP] 2.2.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authenticate {
    /// `None` for an anonymous logon.
    pub(crate) account: Option<Account>,
    pub(crate) workstation: Option<Box<str>>,
}

/// `NTLMSSP_NEGOTIATE_UNICODE`, [MS-NLMP] 2.2.2.5.
const NEGOTIATE_UNICODE: u32 = 1;
/// Names longer than this, bytes, are nobody's.
const MAX_NAME: usize = 1024;

/// Reads a message that begins with the signature; `None` if it is malformed.
pub(crate) fn parse(bytes: &[u8]) -> Option<Message> {
    let mut wire = Wire::new(bytes, Order::Little);
    wire.take(8)?;
    match wire.u32()? {
        1 | 2 => Some(Message::Other),
        3 => authenticate(bytes, wire).map(Message::Authenticate),
        _ => None,
    }
}

fn authenticate(message: &[u8], mut wire: Wire<'_>) -> Option<Authenticate> {
    // LmChallengeResponseFields and NtChallengeResponseFields: not ours to keep.
    wire.take(16)?;
    let domain = field(message, &mut wire)?;
    let user = field(message, &mut wire)?;
    let workstation = field(message, &mut wire)?;
    // EncryptedRandomSessionKeyFields.
    wire.take(8)?;
    let unicode = wire.u32()? & NEGOTIATE_UNICODE != 0;
    let user = text(user, unicode);
    let workstation = text(workstation, unicode);
    Some(Authenticate {
        account: (!user.is_empty()).then(|| Account::new(&user, &text(domain, unicode))),
        workstation: (!workstation.is_empty()).then(|| host_name(&workstation)),
    })
}

/// A `Len`, `MaxLen`, `BufferOffset` triple, and what it points to.
fn field<'a>(message: &'a [u8], wire: &mut Wire<'_>) -> Option<&'a [u8]> {
    let length = usize::from(wire.u16()?);
    let _max_length = wire.u16()?;
    let offset = usize::try_from(wire.u32()?).ok()?;
    if length == 0 {
        return Some(&[]);
    }
    message.get(offset..)?.get(..length)
}

fn text(bytes: &[u8], unicode: bool) -> String {
    let bytes = bytes.get(..MAX_NAME).unwrap_or(bytes);
    if unicode {
        let units = bytes.chunks_exact(2).map(|pair| {
            pair.iter()
                .rev()
                .fold(0, |unit, &byte| unit << 8 | u16::from(byte))
        });
        char::decode_utf16(units)
            .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect()
    } else {
        String::from_utf8_lossy(bytes).into_owned()
    }
}

/// Lower case, without leading backslashes and without its domain.
fn host_name(workstation: &str) -> Box<str> {
    let name = workstation.trim_start_matches('\\');
    name.split('.')
        .next()
        .unwrap_or(name)
        .trim()
        .to_lowercase()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(domain: &str, user: &str, workstation: &str, unicode: bool) -> Vec<u8> {
        let encode = |text: &str| -> Vec<u8> {
            if unicode {
                text.encode_utf16().flat_map(u16::to_le_bytes).collect()
            } else {
                text.as_bytes().to_vec()
            }
        };
        let mut head = [b"NTLMSSP\0\x03\0\0\0".to_vec(), vec![0; 16]].concat();
        let mut payload = Vec::new();
        for name in [domain, user, workstation] {
            let name = encode(name);
            let length = (name.len() as u16).to_le_bytes();
            head.extend([length, length].concat());
            head.extend((64 + payload.len() as u32).to_le_bytes());
            payload.extend(name);
        }
        head.extend([0; 8]);
        head.extend(u32::from(unicode).to_le_bytes());
        [head, payload].concat()
    }

    #[test]
    fn names_are_read_in_unicode_and_oem() {
        for unicode in [true, false] {
            let bytes = message("CORP", "Alice", "\\\\WS1", unicode);
            let expected = Authenticate {
                account: Some(Account::new("alice", "corp")),
                workstation: Some("ws1".into()),
            };
            assert_eq!(parse(&bytes), Some(Message::Authenticate(expected)));
        }
    }

    #[test]
    fn anonymous_has_no_account() {
        let Some(Message::Authenticate(names)) = parse(&message("", "", "", true)) else {
            panic!("an AUTHENTICATE message");
        };
        assert_eq!(names.account, None);
        assert_eq!(names.workstation, None);
    }

    #[test]
    fn a_field_outside_the_message_is_malformed() {
        let bytes = message("CORP", "alice", "WS1", true);
        for length in 0..bytes.len() {
            assert!(!matches!(
                parse(&bytes[..length]),
                Some(Message::Authenticate(_))
            ));
        }
    }
}
