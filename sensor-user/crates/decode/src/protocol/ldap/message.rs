//! `LDAPMessage`, RFC 4511 4.1.1: what its first bytes tell.

use super::ber::Ber;
use super::text;
use crate::der;
use crate::protocol::Verdict;

/// Tags of `protocolOp`.
pub(super) mod op {
    pub(in super::super) const BIND_REQUEST: u8 = 0x60;
    pub(in super::super) const BIND_RESPONSE: u8 = 0x61;
    pub(in super::super) const UNBIND_REQUEST: u8 = 0x42;
    pub(in super::super) const SEARCH_REQUEST: u8 = 0x63;
    pub(in super::super) const SEARCH_RESULT_ENTRY: u8 = 0x64;
    pub(in super::super) const SEARCH_RESULT_DONE: u8 = 0x65;
    pub(in super::super) const MODIFY_REQUEST: u8 = 0x66;
    pub(in super::super) const MODIFY_RESPONSE: u8 = 0x67;
    pub(in super::super) const ADD_REQUEST: u8 = 0x68;
    pub(in super::super) const ADD_RESPONSE: u8 = 0x69;
    pub(in super::super) const DEL_REQUEST: u8 = 0x4a;
    pub(in super::super) const DEL_RESPONSE: u8 = 0x6b;
    pub(in super::super) const MODIFY_DN_REQUEST: u8 = 0x6c;
    pub(in super::super) const MODIFY_DN_RESPONSE: u8 = 0x6d;
    pub(in super::super) const COMPARE_REQUEST: u8 = 0x6e;
    pub(in super::super) const COMPARE_RESPONSE: u8 = 0x6f;
    pub(in super::super) const ABANDON_REQUEST: u8 = 0x50;
    pub(in super::super) const SEARCH_RESULT_REFERENCE: u8 = 0x73;
    pub(in super::super) const EXTENDED_REQUEST: u8 = 0x77;
    pub(in super::super) const EXTENDED_RESPONSE: u8 = 0x78;
    pub(in super::super) const INTERMEDIATE_RESPONSE: u8 = 0x79;
}

/// Messages longer than this, bytes, are none: no server takes or sends such (Windows takes 10 MiB,
/// `MaxReceiveBuffer` of [MS-ADTS] 3.1.1.3.4.6).
const MAX_LENGTH: usize = 64 << 20;
/// Bytes in which a message that is none shows: its header, `messageID`, and the header of
/// `protocolOp`, each of the longest form that is read.
const TELLING: usize = 6 + 10 + 6;
const INTEGER: u8 = 2;
/// `controls`
const CONTROLS: u8 = 0xa0;
/// No more controls of a message are kept than this.
const MAX_CONTROLS: usize = 16;

/// Where a message ends, and where its parts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Of the whole message, bytes.
    pub(super) length: usize,
    /// Its parts; `None` if there are none.
    pub(super) parts: Option<Parts>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    /// `messageID`
    pub(super) id: u32,
    /// Which `protocolOp`.
    pub(super) tag: u8,
    /// Where the contents of `protocolOp` begin.
    pub(super) body: usize,
    /// Where they end, if that can be true.
    end: usize,
}

/// What bytes begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Message(Head),
    /// So many bytes would tell.
    Need(usize),
    /// No message.
    Nothing,
}

/// The message that `bytes` begin with.
pub(super) fn start(bytes: &[u8]) -> Start {
    match bytes.first() {
        None => return Start::Need(TELLING),
        Some(&der::SEQUENCE) => {}
        Some(_) => return Start::Nothing,
    }
    let Some((_, start, content)) = der::header(bytes) else {
        return if bytes.len() < 6 {
            Start::Need(6)
        } else {
            Start::Nothing
        };
    };
    let length = start + content;
    if length > MAX_LENGTH {
        return Start::Nothing;
    }
    let parts = parts(bytes, start).filter(|parts| parts.end <= length);
    if parts.is_none() && bytes.len() < length.min(TELLING) {
        return Start::Need(length.min(TELLING));
    }
    Start::Message(Head { length, parts })
}

fn parts(bytes: &[u8], start: usize) -> Option<Parts> {
    let mut ber = Ber::new(bytes.get(start..)?, true);
    let id = ber.tag().filter(|&tag| tag == INTEGER).and(ber.number())?;
    let at = bytes.len() - ber.bytes().len();
    let (tag, header, length) = der::header(ber.bytes())?;
    Some(Parts {
        id,
        tag,
        body: at + header,
        end: at + header + length,
    })
}

/// Whether a message begins here, and no other protocol's: its parts fit each other, and the
/// operation is one that is known.
pub(super) fn tells(bytes: &[u8]) -> Verdict {
    match start(bytes) {
        Start::Message(Head {
            parts: Some(parts), ..
        }) if is_request(parts.tag).is_some() => Verdict::Yes,
        Start::Need(need) => Verdict::Need(need),
        _ => Verdict::No,
    }
}

/// Who sends such a `protocolOp`: `Some(true)` for the client, `None` if it is not known.
pub(super) fn is_request(tag: u8) -> Option<bool> {
    match tag {
        op::BIND_REQUEST
        | op::UNBIND_REQUEST
        | op::SEARCH_REQUEST
        | op::MODIFY_REQUEST
        | op::ADD_REQUEST
        | op::DEL_REQUEST
        | op::MODIFY_DN_REQUEST
        | op::COMPARE_REQUEST
        | op::ABANDON_REQUEST
        | op::EXTENDED_REQUEST => Some(true),
        op::BIND_RESPONSE
        | op::SEARCH_RESULT_ENTRY
        | op::SEARCH_RESULT_DONE
        | op::SEARCH_RESULT_REFERENCE
        | op::MODIFY_RESPONSE
        | op::ADD_RESPONSE
        | op::DEL_RESPONSE
        | op::MODIFY_DN_RESPONSE
        | op::COMPARE_RESPONSE
        | op::EXTENDED_RESPONSE
        | op::INTERMEDIATE_RESPONSE => Some(false),
        _ => None,
    }
}

impl Parts {
    /// The contents of `protocolOp`, of a message as far as it is there.
    pub(super) fn body<'a>(&self, message: &'a [u8]) -> Ber<'a> {
        match message.get(self.body..self.end) {
            Some(body) => Ber::new(body, false),
            None => Ber::new(message.get(self.body..).unwrap_or_default(), true),
        }
    }

    /// `controlType` of each control behind it.
    pub(super) fn controls(&self, message: &[u8]) -> Vec<Box<str>> {
        let behind = message.get(self.end..).unwrap_or_default();
        let Some(mut controls) = Ber::new(behind, true).optional(CONTROLS) else {
            return Vec::new();
        };
        std::iter::from_fn(|| controls.element())
            .take(MAX_CONTROLS)
            .filter_map(|mut control| control.content.octets())
            .map(|oid| text::cut(oid, text::MAX_OID))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UNBIND: [u8; 7] = [0x30, 5, 2, 1, 3, 0x42, 0];

    #[test]
    fn lengths_in_any_form_are_read() {
        let long = [0x30, 0x84, 0, 0, 0, 9, 2, 1, 3, 0x42, 0x84, 0, 0, 0, 0];
        for bytes in [&UNBIND[..], &long] {
            let Start::Message(head) = start(bytes) else {
                panic!("a message");
            };
            assert_eq!(head.length, bytes.len());
            let parts = head.parts.unwrap();
            assert_eq!((parts.id, parts.tag), (3, op::UNBIND_REQUEST));
            for length in 0..bytes.len() {
                assert!(matches!(start(&bytes[..length]), Start::Need(need) if need > length));
            }
        }
    }

    #[test]
    fn parts_that_do_not_fit_are_none() {
        // The operation is longer than the message.
        let Start::Message(head) = start(&[0x30, 5, 2, 1, 3, 0x60, 9, 0, 0, 0, 0]) else {
            panic!("a message");
        };
        assert_eq!(head.parts, None);
        assert_eq!(tells(&UNBIND), Verdict::Yes);
        // SNMP.
        assert_eq!(tells(&[0x30, 8, 2, 1, 1, 4, 3, 1, 2, 3]), Verdict::No);
    }

    #[test]
    fn controls_are_named() {
        let bytes = [
            &[0x30, 15, 2, 1, 3, 0x4a, 0, 0xa0, 8][..],
            &[0x30, 6, 4, 4],
            b"1.23",
        ]
        .concat();
        let Start::Message(Head {
            parts: Some(parts), ..
        }) = start(&bytes)
        else {
            panic!("a message");
        };
        assert_eq!(parts.controls(&bytes), ["1.23".into()]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let bytes = [&[0x30][..], &bytes].concat();
            if let Start::Message(head) = start(&bytes) {
                prop_assert!(head.length >= 2);
                if let Some(parts) = head.parts {
                    let _ = (parts.body(&bytes), parts.controls(&bytes));
                }
            }
        }
    }
}
