//! The change-password protocol on port 464: an AP-REQ or AP-REP with a sealed message behind it
//! (RFC 3244 section 2).

use crate::wire::{Order, Wire};

/// `protocol version number` of a change of one's own password, and of the replies.
const CHANGE: u16 = 1;
/// `protocol version number` of setting a password.
const SET: u16 = 0xff80;
const HEADER: usize = 6;

/// Whether a message of `length` bytes starts here.
pub(super) fn starts(bytes: &[u8], length: usize) -> bool {
    header(bytes).is_some_and(|(said, _)| said == length)
}

/// The Kerberos message inside: AP-REQ, AP-REP, or KRB-ERROR where the server had no key to
/// answer with.
pub(super) fn message(bytes: &[u8]) -> Option<&[u8]> {
    let (length, ap_length) = header(bytes).filter(|&(length, _)| length == bytes.len())?;
    let behind = bytes.get(HEADER..length)?;
    if ap_length == 0 {
        return super::message::length(behind).map(|_| behind);
    }
    let ap = behind.get(..ap_length)?;
    super::message::length(ap).map(|_| ap)
}

/// `message length` and `AP_REQ length`.
fn header(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut wire = Wire::new(bytes, Order::Big);
    let length = usize::from(wire.u16()?);
    let version = wire.u16()?;
    let ap_length = usize::from(wire.u16()?);
    let known = matches!(version, CHANGE | SET) && HEADER + ap_length <= length;
    known.then_some((length, ap_length))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The outermost shell of an AP-REP with 20 bytes in it.
    fn ap_rep() -> Vec<u8> {
        [&[0x6f, 20, 0x30, 18][..], &[0; 18]].concat()
    }

    #[test]
    fn the_kerberos_message_inside_is_found() {
        let ap = ap_rep();
        let reply = [&[0, 33, 0, 1, 0, 22][..], &ap, b"priva"].concat();
        assert_eq!(message(&reply), Some(&ap[..]));
        assert!(starts(&reply, reply.len()));
        assert!(!starts(&reply, reply.len() + 1));
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let ap = ap_rep();
        assert_eq!(message(&[&[0, 28, 0, 1, 0, 23][..], &ap].concat()), None);
        assert_eq!(message(&[&[0, 28, 0, 2, 0, 22][..], &ap].concat()), None);
        assert_eq!(message(&[0, 6, 0, 1, 0, 0]), None);
    }
}
