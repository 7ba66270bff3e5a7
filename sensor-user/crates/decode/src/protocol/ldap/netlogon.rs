//! Answers to pings, over LDAP or in a mailslot: what a domain controller tells of itself ([MS-ADTS] 6.3.1.7 to 6.3.1.9,
//! 6.3.3.2, 6.3.5).

use goshawk_model::ldap::NetlogonResponse;
use uuid::Uuid;

use super::ber::Ber;
use crate::wire::{Order, Wire};

/// `LOGON_SAM_LOGON_RESPONSE` and its two neighbours: for a paused controller, and for an unknown
/// user ([MS-ADTS] 6.3.1.3).
const RESPONSES: std::ops::RangeInclusive<u16> = 19..=21;
/// `LOGON_SAM_LOGON_RESPONSE_EX` and its two neighbours.
const RESPONSES_EX: std::ops::RangeInclusive<u16> = 23..=25;
/// Longest name taken, bytes: what DNS allows (RFC 1035 2.3.4).
const MAX_NAME: usize = 255;
/// Pointers followed in one name.
const MAX_POINTERS: usize = 8;
/// Characters of a name in Unicode that are taken.
const MAX_UNITS: usize = 256;

/// Finds the answer among the attributes of a `SearchResultEntry`, behind its name.
pub(super) fn in_attributes(mut attributes: Ber<'_>) -> Option<NetlogonResponse> {
    let mut list = attributes.element()?.content;
    std::iter::from_fn(|| list.element()).find_map(|attribute| {
        let mut attribute = attribute.content;
        attribute
            .octets()?
            .eq_ignore_ascii_case(b"netlogon")
            .then_some(())?;
        read(attribute.element()?.content.octets()?)
    })
}

/// Reads an answer; `None` if it is none.
pub(crate) fn read(message: &[u8]) -> Option<NetlogonResponse> {
    let mut wire = Wire::new(message, Order::Little);
    let opcode = wire.u16()?;
    if RESPONSES_EX.contains(&opcode) {
        extended(message, opcode, wire)
    } else if RESPONSES.contains(&opcode) {
        plain(message, opcode, wire)
    } else {
        None
    }
}

/// `NETLOGON_SAM_LOGON_RESPONSE_EX`, [MS-ADTS] 6.3.1.9.
fn extended<'a>(message: &'a [u8], opcode: u16, mut wire: Wire<'a>) -> Option<NetlogonResponse> {
    let _sbz = wire.u16()?;
    Some(NetlogonResponse {
        opcode,
        flags: wire.u32()?,
        domain_guid: wire.uuid()?,
        dns_forest_name: name(message, &mut wire)?,
        dns_domain_name: name(message, &mut wire)?,
        dns_host_name: name(message, &mut wire)?,
        netbios_domain_name: name(message, &mut wire)?,
        netbios_computer_name: name(message, &mut wire)?,
        user_name: name(message, &mut wire)?,
        dc_site_name: name(message, &mut wire)?,
        client_site_name: name(message, &mut wire)?,
    })
}

/// `NETLOGON_SAM_LOGON_RESPONSE`, [MS-ADTS] 6.3.1.8, and what it extends,
/// `NETLOGON_SAM_LOGON_RESPONSE_NT40`, 6.3.1.7, which ends behind the domain's name.
fn plain<'a>(message: &'a [u8], opcode: u16, mut wire: Wire<'a>) -> Option<NetlogonResponse> {
    let server = unicode(&mut wire)?;
    let response = NetlogonResponse {
        opcode,
        netbios_computer_name: server.trim_start_matches('\\').into(),
        user_name: unicode(&mut wire)?,
        netbios_domain_name: unicode(&mut wire)?,
        ..NetlogonResponse::default()
    };
    let old = response.clone();
    let extension = |mut wire: Wire<'a>| {
        let domain_guid = wire.uuid()?;
        let _null: Uuid = wire.uuid()?;
        let dns_forest_name = name(message, &mut wire)?;
        let dns_domain_name = name(message, &mut wire)?;
        let dns_host_name = name(message, &mut wire)?;
        let _address = wire.u32()?;
        Some(NetlogonResponse {
            flags: wire.u32()?,
            domain_guid,
            dns_forest_name,
            dns_domain_name,
            dns_host_name,
            ..response
        })
    };
    extension(wire).or(Some(old))
}

/// A name as DNS writes it, with the pointers of RFC 1035 4.1.4 into this message; a lone label may
/// be any text, a user's name too.
fn name<'a>(message: &'a [u8], wire: &mut Wire<'a>) -> Option<Box<str>> {
    let mut name = Vec::new();
    let mut pointers = 0;
    let mut at = *wire;
    loop {
        let length = at.u8()?;
        match length {
            0 => break,
            1..=63 => {
                if !name.is_empty() {
                    name.push(b'.');
                }
                name.extend_from_slice(at.take(length.into())?);
                if name.len() > MAX_NAME {
                    return None;
                }
            }
            0xc0.. => {
                let offset = usize::from(length & 0x3f) << 8 | usize::from(at.u8()?);
                if pointers == 0 {
                    *wire = at;
                }
                pointers += 1;
                if pointers > MAX_POINTERS {
                    return None;
                }
                at = Wire::new(message.get(offset..)?, Order::Little);
            }
            _ => return None,
        }
    }
    if pointers == 0 {
        *wire = at;
    }
    Some(String::from_utf8_lossy(&name).into())
}

/// A text in UTF-16 that ends with a zero.
fn unicode(wire: &mut Wire<'_>) -> Option<Box<str>> {
    let mut units = Vec::new();
    loop {
        match wire.u16()? {
            0 => break,
            unit if units.len() < MAX_UNITS => units.push(unit),
            _ => return None,
        }
    }
    Some(String::from_utf16_lossy(&units).into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As Windows writes it: later names point into earlier ones.
    fn answer() -> Vec<u8> {
        let mut bytes = vec![23, 0, 0, 0];
        bytes.extend(0x3fdu32.to_le_bytes());
        bytes.extend([9; 16]);
        bytes.extend(b"\x04corp\x07example\0");
        bytes.extend([0xc0, 24]);
        bytes.extend(b"\x03dc1\xc0\x18");
        bytes.extend(b"\x04CORP\0");
        bytes.extend(b"\x03DC1\0");
        bytes.extend(b"\x05alice\0");
        bytes.extend(b"\x17Default-First-Site-Name\0");
        let site = bytes.len() - 25;
        bytes.extend([0xc0, site as u8]);
        bytes.extend([5, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        bytes
    }

    #[test]
    fn a_controller_tells_of_itself() {
        let expected = NetlogonResponse {
            opcode: 23,
            flags: 0x3fd,
            domain_guid: Uuid::from_bytes([9; 16]),
            dns_forest_name: "corp.example".into(),
            dns_domain_name: "corp.example".into(),
            dns_host_name: "dc1.corp.example".into(),
            netbios_domain_name: "CORP".into(),
            netbios_computer_name: "DC1".into(),
            user_name: "alice".into(),
            dc_site_name: "Default-First-Site-Name".into(),
            client_site_name: "Default-First-Site-Name".into(),
        };
        assert_eq!(read(&answer()), Some(expected));
    }

    #[test]
    fn the_older_form_is_read() {
        let mut bytes = vec![21, 0];
        for text in ["\\\\DC1", "nobody", "CORP"] {
            bytes.extend(text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
        }
        let read = read(&bytes).unwrap();
        assert_eq!((read.opcode, &*read.netbios_computer_name), (21, "DC1"));
        assert_eq!((&*read.user_name, read.flags), ("nobody", 0));
    }

    #[test]
    fn names_that_point_at_themselves_end() {
        let mut bytes = answer();
        bytes[24] = 0xc0;
        bytes[25] = 24;
        assert_eq!(read(&bytes), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..80), opcode in 19..26u8) {
            read(&[&[opcode, 0], &bytes[..]].concat());
        }
    }
}
