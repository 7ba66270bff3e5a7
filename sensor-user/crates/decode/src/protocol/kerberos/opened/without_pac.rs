//! What a ticket's signature is over: its `EncTicketPart` with a zero byte where the PAC is ([MS-PAC]
//! 2.8.2).
//!
//! Lengths of all that is around the PAC change with it. They are written anew; all else is copied as
//! it is, for another order or spelling would be another signature.

use super::{AD_IF_RELEVANT, AD_WIN2K_PAC, ENC_TICKET_PART};
use crate::der::{self, Value};

/// `[10]` of `EncTicketPart`.
const AUTHORIZATION_DATA: u8 = 0xaa;
/// `[1]` of an element of `AuthorizationData`.
const AD_DATA: u8 = 0xa1;

/// The bytes; `None` if there is no PAC where one must be.
pub(super) fn of(plain: &[u8]) -> Option<Vec<u8>> {
    rewritten(plain, ENC_TICKET_PART, |part| {
        rewritten(part, der::SEQUENCE, |fields| {
            replaced(
                fields,
                |field| field.tag == AUTHORIZATION_DATA,
                |data| {
                    rewritten(data, der::SEQUENCE, |list| {
                        element(list, AD_IF_RELEVANT, |inner| {
                            rewritten(inner, der::SEQUENCE, |list| {
                                element(list, AD_WIN2K_PAC, |_pac| Some(vec![0]))
                            })
                        })
                    })
                },
            )
        })
    })
}

/// The first element of this type in the contents of an `AuthorizationData`, with other `ad-data`.
fn element(
    list: &[u8],
    ad_type: i32,
    change: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let is_it = |value: Value<'_>| value.field(0).and_then(Value::int32) == Some(ad_type);
    replaced(list, is_it, |fields| {
        replaced(
            fields,
            |field| field.tag == AD_DATA,
            |data| rewritten(data, der::OCTET_STRING, change),
        )
    })
}

/// The values in `content`, with other contents in the first one that is meant.
fn replaced(
    content: &[u8],
    is_it: impl Fn(Value<'_>) -> bool,
    change: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let mut rest = content;
    loop {
        let (value, behind) = der::read(rest)?;
        if is_it(value) {
            let before = content.get(..content.len() - rest.len())?;
            let changed = wrapped(value.tag, &change(value.content)?);
            return Some([before, &changed, behind].concat());
        }
        rest = behind;
    }
}

/// The one value in `content`, with other contents.
fn rewritten(
    content: &[u8],
    tag: u8,
    change: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let (value, _) = der::read(content)?;
    Some(wrapped(tag, &change(value.expect(tag)?)?))
}

/// A value, its length in as few bytes as may be.
pub(super) fn wrapped(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|&&byte| byte == 0).count();
    let length = length.get(zeros..).unwrap_or_default();
    let mut value = vec![tag];
    if content.len() < 0x80 {
        value.push(content.len() as u8);
    } else {
        value.push(0x80 | length.len() as u8);
        value.extend_from_slice(length);
    }
    value.extend_from_slice(content);
    value
}
