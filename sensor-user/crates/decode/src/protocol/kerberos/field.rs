//! What the fields of Kerberos messages are made of (RFC 4120 section 5.2).

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use goshawk_model::kerberos::Ticket;
use goshawk_model::{Account, Digest, Timestamp};

use super::opened::{self, Sealed};
use crate::der::{self, Value};
use crate::keytab::Keytab;

/// A `KerberosString` as it was read.
pub(crate) type Text<'a> = Cow<'a, str>;

/// `PrincipalName`, section 5.2.2.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PrincipalName<'a> {
    pub(crate) name_type: i32,
    pub(crate) components: Vec<Text<'a>>,
}

/// Identifier octet of a constructed value with tag `[APPLICATION 0]`.
pub(super) const APPLICATION: u8 = 0x60;

const TICKET: u8 = 1;
const GENERAL_STRING: u8 = 0x1b;
const GENERALIZED_TIME: u8 = 0x18;
/// `HostAddress.addr-type` (section 7.5.3).
const ADDRESS_IPV4: i32 = 2;
const ADDRESS_NETBIOS: i32 = 20;
const ADDRESS_IPV6: i32 = 24;

/// Elements read of any list in a message; more are no use to anybody and cost memory.
const MAX_ELEMENTS: usize = 64;
/// Longest service name, and realm, that is kept, bytes; a DNS name has 253 (RFC 1035 2.3.4).
const MAX_TEXT: usize = 384;

/// The elements of a `SEQUENCE OF`.
pub(super) fn list(value: Option<Value<'_>>) -> impl Iterator<Item = Value<'_>> {
    value
        .and_then(Value::elements)
        .into_iter()
        .flatten()
        .take(MAX_ELEMENTS)
}

/// A `KerberosString`: ASCII by the letter of section 5.2.1, UTF-8 in practice.
pub(super) fn string(value: Value<'_>) -> Option<Text<'_>> {
    value.expect(GENERAL_STRING).map(String::from_utf8_lossy)
}

/// `PrincipalName`, section 5.2.2.
pub(super) fn principal_name(value: Value<'_>) -> Option<PrincipalName<'_>> {
    let [name_type, name_string] = value.numbered()?;
    Some(PrincipalName {
        name_type: name_type?.int32()?,
        components: list(name_string).filter_map(string).collect(),
    })
}

/// `etype` of `EncryptedData`, section 5.2.9.
pub(super) fn etype(value: Value<'_>) -> Option<i32> {
    value.field(0)?.int32()
}

/// `Ticket`, section 5.3; opened where there is a key for it.
pub(super) fn ticket(value: Value<'_>, keytab: Option<&Keytab>) -> Option<Ticket> {
    let (sequence, _) = der::read(value.expect(APPLICATION | TICKET)?)?;
    let [_tkt_vno, realm, sname, enc_part] = sequence.numbered()?;
    let [etype, kvno, cipher] = enc_part?.numbered()?;
    let cipher = cipher?.expect(der::OCTET_STRING)?;
    let mut ticket = Ticket {
        id: identity(cipher),
        service: principal_name(sname?)?.text(&string(realm?)?),
        etype: etype?.int32()?,
        kvno: kvno.and_then(Value::uint32),
        length: u32::try_from(cipher.len()).ok()?,
        opened: None,
    };
    if let Some(keytab) = keytab {
        let sealed = Sealed {
            service: &ticket.service,
            etype: ticket.etype,
            kvno: ticket.kvno,
            cipher,
        };
        ticket.opened = opened::open(&sealed, keytab).map(Arc::new);
    }
    Some(ticket)
}

/// What a ticket is known by, wherever it is carried: its two ends and its length. The checksum over
/// all of it is at one of the ends, whatever the encryption type (RFC 3961 5.3, RFC 4757 5, RFC 8009
/// 5): who cannot forge that cannot make another ticket that looks the same, and hashing every ticket
/// whole would be most of the work that a Kerberos message makes.
pub(super) fn identity(cipher: &[u8]) -> Digest {
    /// Longer than any checksum.
    const END: usize = 32;
    let length = (cipher.len() as u64).to_le_bytes();
    match (cipher.first_chunk::<END>(), cipher.last_chunk::<END>()) {
        (Some(front), Some(back)) => Digest::of(&[&length, front, back]),
        _ => Digest::of(&[cipher]),
    }
}

/// `HostAddresses`, section 5.2.5: those of IP, and the names of NetBIOS.
pub(super) fn addresses(value: Option<Value<'_>>) -> (Vec<IpAddr>, Vec<Box<str>>) {
    let (mut addresses, mut names) = (Vec::new(), Vec::new());
    for address in list(value) {
        let Some([Some(kind), Some(address)]) = address.numbered() else {
            continue;
        };
        let Some(address) = address.expect(der::OCTET_STRING) else {
            continue;
        };
        match kind.int32() {
            Some(ADDRESS_IPV4) => addresses.extend(<[u8; 4]>::try_from(address).map(IpAddr::from)),
            Some(ADDRESS_IPV6) => addresses.extend(<[u8; 16]>::try_from(address).map(IpAddr::from)),
            Some(ADDRESS_NETBIOS) => names.extend(netbios_name(address)),
            _ => {}
        }
    }
    (addresses, names)
}

/// 16 bytes, padded with blanks, the last one a type.
fn netbios_name(address: &[u8]) -> Option<Box<str>> {
    let name = String::from_utf8_lossy(address.get(..15).unwrap_or(address));
    let name = name.trim_end_matches([' ', '\0']);
    (!name.is_empty()).then(|| name.into())
}

/// `KerberosTime`, section 5.2.3: `YYYYMMDDhhmmssZ`.
pub(super) fn time(value: Value<'_>) -> Option<Timestamp> {
    let digits = value.expect(GENERALIZED_TIME)?.get(..14)?;
    let number = |from: usize, to: usize| {
        digits
            .get(from..to)?
            .iter()
            .try_fold(0i64, |number, digit| {
                let digit = digit.checked_sub(b'0').filter(|&digit| digit < 10)?;
                Some(number * 10 + i64::from(digit))
            })
    };
    let days = days_since_1970(number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let seconds = days * 86_400 + number(8, 10)? * 3600 + number(10, 12)? * 60 + number(12, 14)?;
    Some(Timestamp::from_parts(seconds.try_into().unwrap_or(0), 0))
}

/// Days of the Gregorian calendar. Years are counted from March, so that leap days end them.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    /// From March 1 of the year 0.
    const TO_1970: i64 = 719_469;
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - TO_1970
}

impl PrincipalName<'_> {
    /// `class/instance@realm` in the wire's case, each side cut at [`MAX_TEXT`]: what is kept of a
    /// name must not be as long as an attacker likes.
    pub(crate) fn text(&self, realm: &str) -> Box<str> {
        let name = match self.components.as_slice() {
            [name] => Cow::Borrowed(&**name),
            components => Cow::Owned(components.join("/")),
        };
        [cut(&name), "@", cut(realm)].concat().into()
    }

    /// The account of this name; `None` where the name is hidden (RFC 8062, used by FAST).
    pub(crate) fn account(&self, realm: &str) -> Option<Account> {
        let anonymous = matches!(
            self.components.as_slice(),
            [class, name] if class == "WELLKNOWN" && name == "ANONYMOUS"
        );
        if anonymous || self.components.iter().all(|part| part.is_empty()) {
            return None;
        }
        let components = self.components.iter().map(|part| &**part);
        Some(Account::from_principal(components, realm))
    }

    /// Whether this is a service of class `krbtgt`: a KDC, of this realm or another.
    pub(crate) fn is_kdc(&self) -> bool {
        self.components
            .first()
            .is_some_and(|class| class.eq_ignore_ascii_case("krbtgt"))
    }
}

/// The beginning of `text`, as much as is kept.
pub(super) fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_anonymous_principal_is_nobody() {
        let name = |components: &[&'static str]| PrincipalName {
            name_type: 11,
            components: components.iter().map(|&part| part.into()).collect(),
        };
        assert_eq!(name(&["WELLKNOWN", "ANONYMOUS"]).account("CORP"), None);
        assert_eq!(name(&[]).account("CORP"), None);
        assert!(name(&["alice"]).account("CORP").is_some());
    }

    #[test]
    fn times_are_read_within_what_a_timestamp_holds() {
        let read = |text: &str| {
            let content = text.as_bytes();
            time(Value {
                tag: GENERALIZED_TIME,
                content,
            })
        };
        for (text, time) in [
            ("20370913024805Z", "2037-09-13T02:48:05Z"),
            ("20240229235959Z", "2024-02-29T23:59:59Z"),
            ("19700101000000Z", "1970-01-01T00:00:00Z"),
            ("20000301000000Z", "2000-03-01T00:00:00Z"),
        ] {
            assert_eq!(read(text), time.parse().ok(), "{text}");
        }
        assert_eq!(read("19691231235959Z"), Some(Timestamp::ZERO));
        assert_eq!(read("00000101000000Z"), Some(Timestamp::ZERO));
        assert_eq!(read("99991231235959Z"), Some(Timestamp::MAX));
        assert_eq!(read("2037091302480"), None);
        assert_eq!(read("2037-9-13T0248"), None);
    }
}
