//! A fuzzer's bytes as the sealed part of a ticket: whoever has a key may write anything into one, and
//! a sensor with the same key opens it.

use std::sync::Arc;

use goshawk_decode::{Decoder, Keytab, Limits};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use rc4::{Rc4, StreamCipher};

use crate::story::{FROM_SERVER, Speech, tell};

/// The key of `krbtgt/X@X`, for RC4.
const KEY: [u8; 16] = [7; 16];

/// Tells a decoder that has its key of a ticket whose `EncTicketPart` this is, and of one whose PAC.
///
/// # Panics
/// Where something does not hold that must hold whatever is in a ticket.
pub fn opened(part: &[u8]) {
    let with_pac = [
        field(0, &value(3, &[0, 0x40, 0xe1, 0, 0])),
        field(2, &value(0x1b, b"X")),
        field(3, &name(b"alice")),
        field(5, &value(0x18, b"20260301100000Z")),
        field(7, &value(0x18, b"20260301200000Z")),
        field(10, &element(1, &element(128, part))),
    ];
    let with_pac = value(0x63, &value(0x30, &with_pac.concat()));
    for part in [part, &with_pac] {
        let mut decoder = Decoder::new(Arc::from("fuzz"), Limits::default());
        decoder.set_keytab(Some(Arc::new(keytab())));
        let message = as_rep(&seal(part));
        let length = (message.len() as u16).to_le_bytes();
        let story = [&[FROM_SERVER], &length[..], &message].concat();
        tell(decoder, Speech::Udp(88), &story);
    }
}

fn keytab() -> Keytab {
    let mut entry = b"\0\x02\0\x01X\0\x06krbtgt\0\x01X\0\0\0\x01\0\0\0\0\x01\0\x17\0\x10".to_vec();
    entry.extend(KEY);
    let length = (entry.len() as u32).to_be_bytes();
    let file = [&[5, 2], &length[..], &entry].concat();
    Keytab::parse(&file).expect("a keytab")
}

/// Sealed as RFC 4757 5 has it, for the key usage of tickets.
fn seal(part: &[u8]) -> Vec<u8> {
    let mut plain = [&[0; 8], part].concat();
    let first = hmac(&KEY, &2_u32.to_le_bytes());
    let checksum = hmac(&first, &plain);
    let third = hmac(&first, &checksum);
    let mut cipher = Rc4::new_from_slice(&third).expect("a key");
    cipher.apply_keystream(&mut plain);
    [checksum, plain].concat()
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <Hmac<Md5> as KeyInit>::new_from_slice(key).expect("a key");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// An AS-REP with a ticket (RFC 4120 5.4.2).
fn as_rep(cipher: &[u8]) -> Vec<u8> {
    let sealed = |cipher: &[u8]| {
        let parts = [
            field(0, &number(23)),
            field(1, &number(1)),
            field(2, &value(4, cipher)),
        ];
        value(0x30, &parts.concat())
    };
    let service = value(0x30, &[value(0x1b, b"krbtgt"), value(0x1b, b"X")].concat());
    let service = value(0x30, &[field(0, &number(2)), field(1, &service)].concat());
    let ticket = [
        field(0, &number(5)),
        field(1, &value(0x1b, b"X")),
        field(2, &service),
        field(3, &sealed(cipher)),
    ];
    let reply = [
        field(0, &number(5)),
        field(1, &number(11)),
        field(3, &value(0x1b, b"X")),
        field(4, &name(b"alice")),
        field(5, &value(0x61, &value(0x30, &ticket.concat()))),
        field(6, &sealed(&[0; 40])),
    ];
    value(0x6b, &value(0x30, &reply.concat()))
}

/// An `AuthorizationData` of one element.
fn element(kind: u8, data: &[u8]) -> Vec<u8> {
    let kind = value(2, &[0, kind]);
    let element = [field(0, &kind), field(1, &value(4, data))];
    value(0x30, &value(0x30, &element.concat()))
}

fn name(text: &[u8]) -> Vec<u8> {
    let parts = value(0x30, &value(0x1b, text));
    value(0x30, &[field(0, &number(1)), field(1, &parts)].concat())
}

fn number(number: u8) -> Vec<u8> {
    value(2, &[number])
}

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    value(0xa0 | number, content)
}

/// A value, its length in four bytes.
fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u32).to_be_bytes();
    [&[tag, 0x84], &length[..], content].concat()
}
