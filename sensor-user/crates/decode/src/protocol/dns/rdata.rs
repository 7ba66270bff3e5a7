//! What records say (RFC 1035 3.3), as far as anybody reads it.

use std::net::IpAddr;

use goshawk_model::dns::{DnsData, rtype};

use super::format::{self, Record};
use super::message::Tkey;
use crate::wire::{Order, Wire};

/// Bytes kept of a text.
const MAX_TEXT: usize = 255;

/// The data of a record.
pub(super) fn read(record: &Record<'_>) -> DnsData {
    data(record).unwrap_or(DnsData::Other)
}

fn data(record: &Record<'_>) -> Option<DnsData> {
    let name_at = |skipped| {
        let name = record.name_at(skipped)?;
        Some(format::text(&name))
    };
    Some(match record.rtype {
        rtype::A => DnsData::Address(IpAddr::from(<[u8; 4]>::try_from(record.data).ok()?)),
        rtype::AAAA => DnsData::Address(IpAddr::from(<[u8; 16]>::try_from(record.data).ok()?)),
        rtype::NS | rtype::CNAME | rtype::PTR | rtype::DNAME => DnsData::Name(name_at(0)?),
        rtype::MX => DnsData::Name(name_at(2)?),
        rtype::SRV => {
            let mut wire = Wire::new(record.data, Order::Big);
            // Priority and weight.
            wire.take(4)?;
            DnsData::Service {
                port: wire.u16()?,
                target: name_at(6)?,
            }
        }
        rtype::TXT => DnsData::Text(text(record.data)),
        _ => DnsData::Other,
    })
}

/// The character strings of a TXT record, run together (RFC 1035 3.3.14).
fn text(data: &[u8]) -> Box<str> {
    let mut bytes = Vec::new();
    let mut wire = Wire::new(data, Order::Big);
    while let Some(length) = wire.u8() {
        let part = wire.take(length.into()).unwrap_or(wire.rest());
        let room = MAX_TEXT.saturating_sub(bytes.len());
        bytes.extend_from_slice(part.get(..room).unwrap_or(part));
        if part.len() < length.into() || bytes.len() >= MAX_TEXT {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into()
}

/// `SERIAL` of an SOA record (RFC 1035 3.3.13).
pub(super) fn serial(record: &Record<'_>) -> Option<u32> {
    Wire::new(record.behind_names(2)?, Order::Big).u32()
}

/// A TKEY record in GSS-API mode (RFC 2930 2.5, RFC 3645 2.1).
pub(super) fn tkey<'a>(record: &Record<'a>) -> Option<Tkey<'a>> {
    const GSS_API: u16 = 3;
    let mut wire = Wire::new(record.behind_names(1)?, Order::Big);
    // Inception and expiration.
    wire.take(8)?;
    let mode = wire.u16()?;
    let error = wire.u16()?;
    let length = wire.u16()?;
    let token = wire.take(length.into())?;
    (mode == GSS_API).then_some(Tkey { error, token })
}
