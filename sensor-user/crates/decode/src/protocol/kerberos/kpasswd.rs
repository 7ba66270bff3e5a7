//! The change-password protocol on port 464: an AP-REQ or AP-REP with a sealed message behind it
//! (RFC 3244 section 2).

use goshawk_model::kerberos::PasswordOperation;

use super::message;
use crate::wire::{Order, Wire};

/// A message of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Framed<'a> {
    /// What is asked, as far as the version tells; that of replies is always the same.
    pub(super) operation: PasswordOperation,
    /// The Kerberos message inside: AP-REQ, AP-REP, or KRB-ERROR where the server had no key to
    /// answer with.
    pub(super) message: &'a [u8],
    /// Whether a KRB-PRIV is behind it.
    pub(super) has_private: bool,
}

/// `protocol version number` of a change of one's own password, and of the replies.
const CHANGE: u16 = 1;
/// `protocol version number` of setting a password.
const SET: u16 = 0xff80;
const HEADER: usize = 6;

/// Whether a message of `length` bytes starts here.
pub(super) fn starts(bytes: &[u8], length: usize) -> bool {
    header(bytes).is_some_and(|header| header.length == length)
}

/// Reads a message.
pub(super) fn open(bytes: &[u8]) -> Option<Framed<'_>> {
    let Header {
        length,
        operation,
        ap_length,
    } = header(bytes).filter(|header| header.length == bytes.len())?;
    let behind = bytes.get(HEADER..length)?;
    let (message, private) = if ap_length == 0 {
        (behind, &[][..])
    } else {
        behind.split_at_checked(ap_length)?
    };
    message::length(message).map(|_| Framed {
        operation,
        message,
        has_private: message::length(private) == Some(private.len()),
    })
}

/// `result code` in the `e-data` of a KRB-ERROR.
pub(super) fn result(e_data: &[u8]) -> Option<u16> {
    Wire::new(e_data, Order::Big).u16()
}

struct Header {
    /// `message length`
    length: usize,
    operation: PasswordOperation,
    /// `AP_REQ length`
    ap_length: usize,
}

fn header(bytes: &[u8]) -> Option<Header> {
    let mut wire = Wire::new(bytes, Order::Big);
    let length = usize::from(wire.u16()?);
    let operation = match wire.u16()? {
        CHANGE => PasswordOperation::Change,
        SET => PasswordOperation::Set,
        _ => return None,
    };
    let ap_length = usize::from(wire.u16()?);
    (HEADER + ap_length <= length).then_some(Header {
        length,
        operation,
        ap_length,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The outermost shell of a message with 20 bytes in it.
    fn shell(tag: u8) -> Vec<u8> {
        [&[tag, 20, 0x30, 18][..], &[0; 18]].concat()
    }

    #[test]
    fn the_kerberos_message_inside_is_found() {
        let ap = shell(0x6f);
        let reply = [&[0, 50, 0, 1, 0, 22][..], &ap, &shell(0x75)].concat();
        let framed = Framed {
            operation: PasswordOperation::Change,
            message: &ap,
            has_private: true,
        };
        assert_eq!(open(&reply), Some(framed));
        assert!(starts(&reply, reply.len()));
        assert!(!starts(&reply, reply.len() + 1));
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let ap = shell(0x6f);
        assert_eq!(open(&[&[0, 28, 0, 1, 0, 23][..], &ap].concat()), None);
        assert_eq!(open(&[&[0, 28, 0, 2, 0, 22][..], &ap].concat()), None);
        assert_eq!(open(&[0, 6, 0, 1, 0, 0]), None);
    }
}
