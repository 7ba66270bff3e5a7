//! Tickets opened with a key of the keytab (RFC 4120 5.3), and the PAC in them ([MS-PAC]).
//!
//! Nothing here costs anything without a keytab. What was opened holds the session key: it is wiped
//! as soon as it was read.

mod logon;
mod pac;
mod without_pac;

use goshawk_model::Timestamp;
use goshawk_model::kerberos::Opened;

use super::field::{self, APPLICATION};
use crate::der::{self, Value};
use crate::keytab::{Etype, Keytab};
use pac::Surroundings;

/// Key usage of tickets (RFC 4120 7.5.1).
const TICKET: u32 = 2;
/// `EncTicketPart`, `[APPLICATION 3]`.
const ENC_TICKET_PART: u8 = APPLICATION | 3;
/// `ad-type` of what need not be understood, and of a PAC (RFC 4120 7.5.4).
const AD_IF_RELEVANT: i32 = 1;
const AD_WIN2K_PAC: i32 = 128;
/// Text kept of `transited`, bytes.
const MAX_TRANSITED: usize = 256;

/// The sealed part of a ticket.
pub(super) struct Sealed<'a> {
    /// `class/instance@realm`.
    pub(super) service: &'a str,
    pub(super) etype: i32,
    pub(super) kvno: Option<u32>,
    pub(super) cipher: &'a [u8],
}

/// Opens a ticket; `None` if the keytab has no key that does.
pub(super) fn open(sealed: &Sealed<'_>, keytab: &Keytab) -> Option<Opened> {
    let etype = Etype::new(sealed.etype)?;
    let (key, plain) = keytab
        .sealers(sealed.service, etype, sealed.kvno)
        .find_map(|key| Some((key, key.open(TICKET, sealed.cipher)?)))?;
    let (outer, _) = der::read(&plain)?;
    let mut opened = enc_ticket_part(outer)?;
    opened.kvno = key.kvno;
    opened.pac = located(outer).map(|pac| {
        let surroundings = Surroundings {
            service: sealed.service,
            sealer: key,
            keytab,
            plain: &plain,
        };
        Box::new(pac::read(pac, &surroundings))
    });
    Some(opened)
}

fn enc_ticket_part(outer: Value<'_>) -> Option<Opened> {
    let (sequence, _) = der::read(outer.expect(ENC_TICKET_PART)?)?;
    let [
        flags,
        _key,
        crealm,
        cname,
        transited,
        authtime,
        starttime,
        endtime,
        renew_till,
    ] = sequence.numbered()?;
    let realm = crealm.and_then(field::string)?;
    let contents = transited
        .and_then(|transited| transited.field(1)?.expect(der::OCTET_STRING))
        .map(String::from_utf8_lossy)
        .unwrap_or_default();
    let end = contents.floor_char_boundary(MAX_TRANSITED);
    let time = |value: Option<Value<'_>>| value.and_then(field::time);
    Some(Opened {
        flags: flags?.bits()?,
        client: cname
            .and_then(field::principal_name)
            .and_then(|name| name.account(&realm)),
        transited: contents.get(..end).unwrap_or_default().into(),
        authtime: time(authtime)?,
        starttime: time(starttime),
        endtime: time(endtime).unwrap_or(Timestamp::MAX),
        renew_till: time(renew_till),
        ..Opened::default()
    })
}

/// The PAC in an `EncTicketPart`: in `authorization-data`, in the first element that need not be
/// understood ([MS-PAC] 2.1).
fn located(outer: Value<'_>) -> Option<&[u8]> {
    let (sequence, _) = der::read(outer.content)?;
    let relevant = data_of(sequence.field(10), AD_IF_RELEVANT)?;
    let (inner, _) = der::read(relevant)?;
    data_of(Some(inner), AD_WIN2K_PAC)
}

/// `ad-data` of the first element of this type in an `AuthorizationData`.
fn data_of(list: Option<Value<'_>>, ad_type: i32) -> Option<&[u8]> {
    field::list(list).find_map(|element| {
        let [kind, data] = element.numbered()?;
        let data = data?.expect(der::OCTET_STRING)?;
        (kind?.int32()? == ad_type).then_some(data)
    })
}

#[cfg(test)]
mod tests;
