//! The buffers of a PAC ([MS-PAC] 2.3), and whether its signatures are right (2.8).

use std::borrow::Cow;

use goshawk_model::Timestamp;
use goshawk_model::kerberos::{Pac, Signature, Verdict};

use super::{logon, without_pac};
use crate::keytab::{Etype, Key, Keytab};
use crate::protocol::dcerpc::ndr;
use crate::wire::{Order, Wire};

/// Buffers looked at; there are 20 types.
const MAX_BUFFERS: usize = 32;
/// Characters of a name that are kept.
const MAX_NAME: usize = 256;
/// `KERB_NON_KERB_CKSUM_SALT` ([MS-KILE] 3.1.5.9).
const SIGNING: u32 = 17;
/// Bytes of `SignatureType`.
const TYPE: usize = 4;

/// What a PAC's signatures depend on.
pub(super) struct Surroundings<'a> {
    /// The service that the ticket is for.
    pub(super) service: &'a str,
    /// The key that the ticket is sealed with.
    pub(super) sealer: &'a Key,
    pub(super) keytab: &'a Keytab,
    /// The ticket's `EncTicketPart`.
    pub(super) plain: &'a [u8],
}

/// `PAC_INFO_BUFFER`, with what it is about.
struct Buffer<'a> {
    kind: u32,
    offset: usize,
    data: &'a [u8],
}

/// Reads a PAC. A buffer that cannot be read is only named.
pub(super) fn read(bytes: &[u8], around: &Surroundings<'_>) -> Pac {
    let buffers = buffers(bytes);
    let mut pac = Pac {
        buffers: buffers.iter().map(|buffer| buffer.kind).collect(),
        ..Pac::default()
    };
    for buffer in &buffers {
        match buffer.kind {
            Pac::LOGON_INFO => pac.logon = logon::read(buffer.data),
            Pac::CLIENT_INFO => client_info(&mut pac, buffer.data),
            Pac::UPN_DNS_INFO => _ = upn_dns_info(&mut pac, buffer.data),
            Pac::ATTRIBUTES_INFO => pac.attributes = attributes(buffer.data),
            Pac::REQUESTOR => {
                pac.requestor = ndr::sid(&mut Wire::new(buffer.data, Order::Little));
            }
            _ => {}
        }
    }
    signatures(&mut pac, bytes, &buffers, around);
    pac
}

/// `PACTYPE` ([MS-PAC] 2.3).
fn buffers(bytes: &[u8]) -> Vec<Buffer<'_>> {
    let mut wire = Wire::new(bytes, Order::Little);
    let count = wire.u32().unwrap_or_default();
    let _version = wire.u32();
    let buffers = (0..count).map_while(|_| Some((wire.u32()?, wire.u32()?, wire.u64()?)));
    buffers
        .take(MAX_BUFFERS)
        .map(|(kind, length, offset)| {
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            let end = start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
            Buffer {
                kind,
                offset: start,
                data: bytes.get(start..end).unwrap_or_default(),
            }
        })
        .collect()
}

/// `PAC_CLIENT_INFO` ([MS-PAC] 2.7).
fn client_info(pac: &mut Pac, data: &[u8]) {
    let mut wire = Wire::new(data, Order::Little);
    pac.client_id = wire.u64().and_then(file_time);
    pac.client_name = wire
        .u16()
        .and_then(|length| wire.take(length.into()))
        .map(characters);
}

/// `UPN_DNS_INFO` ([MS-PAC] 2.10): its newer part, which is there where a flag says so.
fn upn_dns_info(pac: &mut Pac, data: &[u8]) -> Option<()> {
    const HAS_SAM_NAME_AND_SID: u32 = 2;
    let mut wire = Wire::new(data, Order::Little);
    let _upn_and_dns_name = wire.u64()?;
    if wire.u32()? & HAS_SAM_NAME_AND_SID == 0 {
        return None;
    }
    let mut part = || {
        let (length, offset) = (usize::from(wire.u16()?), usize::from(wire.u16()?));
        data.get(offset..offset + length)
    };
    pac.sam_name = part().map(characters);
    pac.sid = part().and_then(|sid| ndr::sid(&mut Wire::new(sid, Order::Little)));
    Some(())
}

/// `PAC_ATTRIBUTES_INFO` ([MS-PAC] 2.14): how many flags, in bits, and those.
fn attributes(data: &[u8]) -> Option<u32> {
    let mut wire = Wire::new(data, Order::Little);
    let _length = wire.u32()?;
    wire.u32()
}

/// 100 nanoseconds since 1601; `None` for never ([MS-DTYP] 2.3.3).
fn file_time(time: u64) -> Option<Timestamp> {
    const TO_1970: u64 = 116_444_736_000_000_000;
    let since = time.checked_sub(TO_1970)?;
    Some(Timestamp::from_nanos(since.checked_mul(100)?))
}

fn characters(bytes: &[u8]) -> Box<str> {
    let mut bytes = Wire::new(bytes, Order::Little);
    let units = std::iter::from_fn(|| bytes.u16()).take(MAX_NAME);
    char::decode_utf16(units)
        .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
        .map(|character| {
            if character.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                character
            }
        })
        .collect::<String>()
        .into()
}

fn signatures(pac: &mut Pac, bytes: &[u8], buffers: &[Buffer<'_>], around: &Surroundings<'_>) {
    let of = |kind: u32| buffers.iter().find(|buffer| buffer.kind == kind);
    let server = of(Pac::SERVER_SIGNATURE);
    let kdc = of(Pac::KDC_SIGNATURE);
    let extended = of(Pac::EXTENDED_SIGNATURE);
    let blanked = |signatures: &[Option<&Buffer<'_>>]| {
        let mut blanked = bytes.to_vec();
        for signature in signatures.iter().copied().flatten() {
            blank(&mut blanked, signature);
        }
        blanked
    };
    let realm = around
        .service
        .rsplit_once('@')
        .map_or("", |(_, realm)| realm);
    // The ticket is of a read-only controller where the KDC's signature has that one's number.
    let read_only = kdc
        .and_then(|kdc| Some(Signed::new(kdc.data)?.read_only))
        .flatten();
    let krbtgt = around.keytab.krbtgt(realm, read_only);
    // What a ticket-granting ticket is sealed with signs it as well; of a service's ticket nothing tells
    // which version of the key has signed it.
    let is_granting = krbtgt.iter().any(|key| std::ptr::eq(key, around.sealer));
    let kdc_keys = || {
        let version = around.sealer.kvno;
        krbtgt
            .iter()
            .filter(move |key| !is_granting || key.kvno == version)
    };
    pac.server_signature = server.and_then(|buffer| {
        let keys = std::iter::once(around.sealer);
        let message = || Some(Cow::Owned(blanked(&[server, kdc])));
        Signed::new(buffer.data)?.judged(keys, message)
    });
    pac.kdc_signature = kdc.and_then(|buffer| {
        // It is over the bytes of the server's signature.
        let message = || Some(Cow::Borrowed(Signed::new(server?.data)?.signature));
        Signed::new(buffer.data)?.judged(kdc_keys(), message)
    });
    pac.extended_signature = extended.and_then(|buffer| {
        let message = || Some(Cow::Owned(blanked(&[server, kdc, extended])));
        Signed::new(buffer.data)?.judged(kdc_keys(), message)
    });
    pac.ticket_signature = of(Pac::TICKET_SIGNATURE).and_then(|buffer| {
        let message = || without_pac::of(around.plain).map(Cow::Owned);
        Signed::new(buffer.data)?.judged(kdc_keys(), message)
    });
}

/// Sets the bytes of a signature to zero, and leaves its type.
fn blank(pac: &mut [u8], signature: &Buffer<'_>) {
    let Some(signed) = Signed::new(signature.data) else {
        return;
    };
    let start = signature.offset.saturating_add(TYPE);
    let end = start.saturating_add(signed.signature.len());
    if let Some(bytes) = pac.get_mut(start..end) {
        bytes.fill(0);
    }
}

/// `PAC_SIGNATURE_DATA` ([MS-PAC] 2.8).
struct Signed<'a> {
    kind: i32,
    signature: &'a [u8],
    /// `RODCIdentifier`.
    read_only: Option<u16>,
}

impl<'a> Signed<'a> {
    fn new(data: &'a [u8]) -> Option<Self> {
        let mut wire = Wire::new(data, Order::Little);
        let kind = wire.u32()?.cast_signed();
        let length = Etype::of_checksum(kind).map_or(wire.rest().len(), Etype::checksum_length);
        Some(Self {
            kind,
            signature: wire.take(length)?,
            read_only: wire.u16().filter(|&number| number != 0),
        })
    }

    /// Whether it is of one of these keys, over the message.
    fn judged<'k, 'm>(
        &self,
        keys: impl Iterator<Item = &'k Key>,
        message: impl FnOnce() -> Option<Cow<'m, [u8]>>,
    ) -> Option<Signature> {
        let signature = |verdict| {
            Some(Signature {
                kind: self.kind,
                verdict,
            })
        };
        if is_unkeyed(self.kind) {
            return signature(Verdict::Unkeyed);
        }
        let etype = Etype::of_checksum(self.kind);
        let mut keys = keys.filter(|key| Some(key.etype) == etype).peekable();
        let Some(message) = keys.peek().and_then(|_| message()) else {
            return signature(Verdict::Unchecked);
        };
        let is_valid = keys.any(|key| key.signed(SIGNING, &message, self.signature));
        signature(if is_valid {
            Verdict::Valid
        } else {
            Verdict::Wrong
        })
    }
}

/// CRC-32, MD4, MD5 and SHA-1: what MS14-068 signs with (RFC 3961 8).
fn is_unkeyed(kind: i32) -> bool {
    matches!(kind, 1 | 2 | 7 | 10 | 14)
}
