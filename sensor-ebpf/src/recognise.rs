//! Recognises identity protocols on ports that are not listed, from the first bytes of a TCP
//! segment's payload. Domain controllers serve DRSUAPI, SAMR and the like on ports that they
//! choose at boot; this is how the program finds them without waiting for anybody.
//!
//! A false match costs a little (an endpoint's traffic is copied, one place in a bounded table
//! is taken), a miss may cost a detection; still, every pattern checks a dozen bits or more, so
//! that bulk traffic does not match by chance.

/// The payload bytes that are looked at; zeros where the payload is shorter.
pub const WINDOW: usize = 24;

/// Which end of the connection serves the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// The segment is a request: its destination.
    Destination,
    /// The segment is a response: its source.
    Source,
    /// The protocol is certain, the role is not.
    Unsure,
}

/// Recognises the protocol of a payload of `len` bytes that begins with `window`, and says who
/// serves it.
#[inline(always)]
pub fn recognise(window: &[u8; WINDOW], len: u32) -> Option<Server> {
    match window[0] {
        0x05 => dcerpc(window, len),
        0x30 => ldap(window),
        0x00 => smb(window).or_else(|| kerberos(window)),
        _ => None,
    }
}

/// A connection-oriented DCE/RPC PDU: version 5.0 or 5.1, known type, valid data representation
/// and length (C706 12.6.3, [MS-RPCE] 2.2.2).
#[inline(always)]
fn dcerpc(window: &[u8; WINDOW], len: u32) -> Option<Server> {
    let [
        _,
        minor,
        kind,
        _,
        integers,
        floats,
        r0,
        r1,
        l0,
        l1,
        a0,
        a1,
        ..,
    ] = *window;
    // The high half of the first byte is the byte order, the low half ASCII or EBCDIC.
    if len < 16 || minor > 1 || integers & 0xee != 0 || floats > 3 || r0 | r1 != 0 {
        return None;
    }
    let little = integers & 0x10 != 0;
    let number = |b: [u8; 2]| {
        if little {
            u16::from_le_bytes(b)
        } else {
            u16::from_be_bytes(b)
        }
    };
    let (length, auth) = (number([l0, l1]), number([a0, a1]));
    if length < 16 || auth > length - 16 {
        return None;
    }
    match kind {
        // request, bind, alter_context, auth3, co_cancel, orphaned
        0 | 11 | 14 | 16 | 18 | 19 => Some(Server::Destination),
        // response, fault, bind_ack, bind_nak, alter_context_resp, shutdown
        2 | 3 | 12 | 13 | 15 | 17 => Some(Server::Source),
        _ => None,
    }
}

/// An LDAP message: SEQUENCE { messageID, protocolOp } (RFC 4511 4.1.1), lengths in any BER form.
#[inline(always)]
fn ldap(window: &[u8; WINDOW]) -> Option<Server> {
    // Where the message id starts, by the form of the sequence's length. Windows always sends
    // four length bytes.
    let rest = match window[1] {
        0x07..=0x7f => take::<7>(window, 2),
        0x81 => take::<7>(window, 3),
        0x82 => take::<7>(window, 4),
        0x83 => take::<7>(window, 5),
        0x84 => take::<7>(window, 6),
        _ => return None,
    };
    let [0x02, _, _, t1, t2, t3, t4] = rest else {
        return None;
    };
    let operation = match rest[1] {
        1 => t1,
        2 => t2,
        3 => t3,
        4 => t4,
        _ => return None,
    };
    match operation {
        // bind, unbind, search, modify, add, delete, modifyDN, compare, abandon, extended
        0x60 | 0x42 | 0x63 | 0x66 | 0x68 | 0x4a | 0x6c | 0x6e | 0x50 | 0x77 => {
            Some(Server::Destination)
        }
        // Their responses, search entries and references, intermediate responses.
        0x61 | 0x64 | 0x65 | 0x67 | 0x69 | 0x6b | 0x6d | 0x6f | 0x73 | 0x78 | 0x79 => {
            Some(Server::Source)
        }
        _ => None,
    }
}

/// An SMB message behind its four-byte length ([MS-SMB2] 2.1): SMB 1, SMB 2 and 3, and the
/// transforms that encrypt or compress them.
#[inline(always)]
fn smb(window: &[u8; WINDOW]) -> Option<Server> {
    let [0, _, _, _, kind, b'S', b'M', b'B', ..] = *window else {
        return None;
    };
    let reply = match kind {
        // SMB_FLAGS_REPLY ([MS-CIFS] 2.2.3.1).
        0xff => window[13] & 0x80,
        // SMB2_FLAGS_SERVER_TO_REDIR ([MS-SMB2] 2.2.1.2).
        0xfe => window[20] & 0x01,
        0xfd | 0xfc => return Some(Server::Unsure),
        _ => return None,
    };
    Some(if reply == 0 {
        Server::Destination
    } else {
        Server::Source
    })
}

/// A Kerberos message behind its record mark (RFC 4120 7.2.2): an APPLICATION tag of a message
/// type, and a DER length that agrees with the mark.
#[inline(always)]
fn kerberos(window: &[u8; WINDOW]) -> Option<Server> {
    let [m0, m1, m2, m3, tag, d0, d1, d2, d3, ..] = *window;
    let mark = u32::from_be_bytes([m0, m1, m2, m3]);
    let der = match d0 {
        0x00..=0x7f => 2 + u32::from(d0),
        0x81 => 3 + u32::from(d1),
        0x82 => 4 + u32::from(u16::from_be_bytes([d1, d2])),
        0x83 => 5 + u32::from_be_bytes([0, d1, d2, d3]),
        _ => return None,
    };
    if mark != der || mark < 16 {
        return None;
    }
    match tag {
        // AS-REQ, TGS-REQ, AP-REQ
        0x6a | 0x6c | 0x6e => Some(Server::Destination),
        // AS-REP, TGS-REP, AP-REP, KRB-ERROR
        0x6b | 0x6d | 0x6f | 0x7e => Some(Server::Source),
        _ => None,
    }
}

/// `N` bytes of the window, at a place that is constant after inlining.
#[inline(always)]
fn take<const N: usize>(window: &[u8; WINDOW], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    let mut i = 0;
    while i < N && at + i < WINDOW {
        bytes[i] = window[at + i];
        i += 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(payload: &[u8]) -> Option<Server> {
        let mut window = [0; WINDOW];
        let len = payload.len().min(WINDOW);
        window[..len].copy_from_slice(&payload[..len]);
        recognise(&window, payload.len() as u32)
    }

    /// A DCE/RPC PDU of a type, little-endian, 72 bytes by its own account.
    fn pdu(kind: u8) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..12].copy_from_slice(&[5, 0, kind, 3, 0x10, 0, 0, 0, 72, 0, 0, 0]);
        bytes
    }

    #[test]
    fn dcerpc_types_say_who_serves() {
        for (kind, server) in [
            (0, Server::Destination),
            (2, Server::Source),
            (11, Server::Destination),
            (12, Server::Source),
            (13, Server::Source),
            (16, Server::Destination),
        ] {
            assert_eq!(seen(&pdu(kind)), Some(server), "{kind}");
        }
        // Types of the connectionless protocol, and none at all.
        for kind in [1, 4, 10, 20, 255] {
            assert_eq!(seen(&pdu(kind)), None, "{kind}");
        }
    }

    #[test]
    fn dcerpc_with_one_wrong_byte_is_not_dcerpc() {
        for (place, value) in [
            (0, 4),
            (1, 2),
            (4, 0x20),
            (5, 4),
            (6, 1),
            (7, 1),
            (8, 15),
            (10, 57),
        ] {
            let mut bytes = pdu(11);
            bytes[place] = value;
            assert_eq!(seen(&bytes), None, "byte {place}");
        }
        assert_eq!(seen(&pdu(11)[..15]), None, "shorter than a header");
    }

    #[test]
    fn ldap_requests_and_answers() {
        let bind = b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00";
        assert_eq!(seen(bind), Some(Server::Destination));
        let entry = b"\x30\x84\x00\x00\x01\x00\x02\x02\x01\x07\x64\x84\x00\x00\x00\xf6";
        assert_eq!(seen(entry), Some(Server::Source));
        let long_id = b"\x30\x82\x01\x00\x02\x04\x7f\xff\xff\xff\x63\x81\xf7\x04";
        assert_eq!(seen(long_id), Some(Server::Destination));
        // A SEQUENCE that begins with a number, such as a certificate or an SNMP message.
        assert_eq!(seen(b"\x30\x82\x01\x00\x02\x01\x00\x30\x0d\x06\x09"), None);
        assert_eq!(seen(b"\x30\x26\x02\x01\x01\x04\x06public"), None);
    }

    #[test]
    fn smb_says_by_a_flag_who_serves() {
        let mut bytes = *b"\0\0\0\x40\xfeSMB\x40\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        assert_eq!(seen(&bytes), Some(Server::Destination));
        bytes[20] = 1;
        assert_eq!(seen(&bytes), Some(Server::Source));
        bytes[4] = 0xfd;
        assert_eq!(seen(&bytes), Some(Server::Unsure));
        let mut bytes = *b"\0\0\0\x40\xffSMBr\0\0\0\0\x18\x01\x28\0\0\0\0\0\0\0\0";
        assert_eq!(seen(&bytes), Some(Server::Destination));
        bytes[13] = 0x98;
        assert_eq!(seen(&bytes), Some(Server::Source));
        bytes[5] = b's';
        assert_eq!(seen(&bytes), None);
    }

    #[test]
    fn kerberos_needs_a_mark_that_agrees() {
        let request = |mark: u32| {
            let mut bytes = mark.to_be_bytes().to_vec();
            bytes.extend([0x6a, 0x82, 0x01, 0x00]);
            bytes.resize(280, 0);
            bytes
        };
        assert_eq!(seen(&request(0x104)), Some(Server::Destination));
        assert_eq!(seen(&request(0x105)), None);
        let mut error = request(0x104);
        error[4] = 0x7e;
        assert_eq!(seen(&error), Some(Server::Source));
        error[4] = 0x70;
        assert_eq!(seen(&error), None);
    }

    #[test]
    fn bulk_traffic_is_not_recognised() {
        for payload in [
            &b"GET / HTTP/1.1\r\nHost: x\r\n"[..],
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"SSH-2.0-OpenSSH_9.2",
            &[0; 64],
            &[0x30; 64],
            &[0x05; 64],
            b"",
        ] {
            assert_eq!(seen(payload), None, "{payload:?}");
        }
    }
}
