//! Kerberos messages, as far as their clear text goes (RFC 4120 section 5).

use std::net::IpAddr;

use goshawk_model::kerberos::{ApExchange, RequestData, Ticket};
use goshawk_model::{Carrier, Digest, Timestamp};

use super::field::{self, PrincipalName, Text};
use super::padata;
use crate::der::{self, Value};
use crate::keytab::Keytab;

/// A message on the wire.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Message<'a> {
    AsReq(KdcReq<'a>),
    TgsReq(KdcReq<'a>),
    AsRep(KdcRep<'a>),
    TgsRep(KdcRep<'a>),
    ApReq(ApReq),
    ApRep,
    Error(KrbError<'a>),
    /// What tells nothing worth keeping: KRB-SAFE, KRB-PRIV and KRB-CRED, which are for those who
    /// trust each other already, and KERB-TGT-REQUEST and -REPLY before user-to-user.
    Plain,
}

/// `KDC-REQ`, section 5.4.1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KdcReq<'a> {
    /// Types of the `padata`, in order.
    pub(crate) padata: Vec<i32>,
    /// What is in `PA-TGS-REQ`.
    pub(crate) presented: Option<ApReq>,
    /// What that is known by; see [`field::identity`].
    pub(crate) proof: Option<Digest>,
    /// What the other `padata` tell.
    pub(crate) data: RequestData,
    pub(crate) kdc_options: u32,
    pub(crate) cname: Option<PrincipalName<'a>>,
    pub(crate) realm: Text<'a>,
    pub(crate) sname: Option<PrincipalName<'a>>,
    pub(crate) from: Option<Timestamp>,
    pub(crate) till: Option<Timestamp>,
    pub(crate) rtime: Option<Timestamp>,
    pub(crate) nonce: u32,
    pub(crate) etypes: Vec<i32>,
    /// NetBIOS names among the `addresses`.
    pub(crate) netbios: Vec<Box<str>>,
    /// IP addresses among them.
    pub(crate) addresses: Vec<IpAddr>,
    /// Whether there is any.
    pub(crate) enc_authorization_data: bool,
    pub(crate) additional: Vec<Ticket>,
}

/// `AP-REQ`, section 5.5.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApReq {
    pub(crate) ap_options: u32,
    pub(crate) ticket: Ticket,
    /// `authenticator.etype`
    pub(crate) authenticator_etype: Option<i32>,
}

/// `KDC-REP`, section 5.4.2.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KdcRep<'a> {
    pub(crate) padata: Option<Value<'a>>,
    pub(crate) crealm: Text<'a>,
    pub(crate) cname: PrincipalName<'a>,
    pub(crate) ticket: Ticket,
    /// `enc-part.etype`
    pub(crate) etype: i32,
}

/// `KRB-ERROR`, section 5.9.1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KrbError<'a> {
    pub(crate) code: i32,
    pub(crate) crealm: Option<Text<'a>>,
    pub(crate) cname: Option<PrincipalName<'a>>,
    pub(crate) realm: Text<'a>,
    pub(crate) sname: Option<PrincipalName<'a>>,
    pub(crate) e_data: Option<&'a [u8]>,
}

const AS_REQ: u8 = 10;
const AS_REP: u8 = 11;
const TGS_REQ: u8 = 12;
const TGS_REP: u8 = 13;
const AP_REQ: u8 = 14;
const AP_REP: u8 = 15;
const KRB_SAFE: u8 = 20;
const KRB_PRIV: u8 = 21;
const KRB_CRED: u8 = 22;
const KRB_ERROR: u8 = 30;

/// The length of the message that `bytes` begins with, if it looks like one. Cheap.
pub(crate) fn length(bytes: &[u8]) -> Option<usize> {
    let (tag, header, length) = der::header(bytes)?;
    let known = matches!(
        tag.wrapping_sub(field::APPLICATION),
        AS_REQ..=AP_REP | KRB_SAFE | KRB_PRIV | KRB_CRED | KRB_ERROR
    );
    let inner = bytes.get(header).is_none_or(|&tag| tag == der::SEQUENCE);
    (known && inner && length >= 16).then(|| header.saturating_add(length))
}

/// Reads a message; `None` if it is none, or lacks what every message of its type has. Tickets are
/// opened where there is a key for them.
pub(crate) fn parse<'a>(bytes: &'a [u8], keytab: Option<&Keytab>) -> Option<Message<'a>> {
    let (outer, _) = der::read(bytes)?;
    let (message, _) = der::read(outer.content)?;
    Some(match outer.tag.wrapping_sub(field::APPLICATION) {
        AS_REQ => Message::AsReq(kdc_req(message, keytab)?),
        TGS_REQ => Message::TgsReq(kdc_req(message, keytab)?),
        AS_REP => Message::AsRep(kdc_rep(message, keytab)?),
        TGS_REP => Message::TgsRep(kdc_rep(message, keytab)?),
        AP_REQ => Message::ApReq(ap_req(message, keytab)?),
        AP_REP => message.field(2).map(|_encrypted| Message::ApRep)?,
        KRB_ERROR => Message::Error(krb_error(message)?),
        KRB_SAFE | KRB_PRIV | KRB_CRED => Message::Plain,
        _ if is_tgt_exchange(outer) => Message::Plain,
        _ => return None,
    })
}

/// `KERB-TGT-REQUEST` or `KERB-TGT-REPLY`, which have no tag of their own
/// (draft-swift-win2k-krb-user2user 3).
fn is_tgt_exchange(outer: Value<'_>) -> bool {
    const TGT_REQUEST: i32 = 16;
    const TGT_REPLY: i32 = 17;
    let msg_type = outer.field(1).and_then(Value::int32);
    matches!(msg_type, Some(TGT_REQUEST | TGT_REPLY))
}

fn kdc_req<'a>(message: Value<'a>, keytab: Option<&Keytab>) -> Option<KdcReq<'a>> {
    let [_, _pvno, _msg_type, padata, body] = message.numbered()?;
    let [
        kdc_options,
        cname,
        realm,
        sname,
        from,
        till,
        rtime,
        nonce,
        etypes,
        addresses,
        enc_authorization_data,
        additional,
    ] = body?.numbered()?;
    let padata = padata::of_request(padata, keytab);
    let (addresses, netbios) = field::addresses(addresses);
    Some(KdcReq {
        padata: padata.types,
        presented: padata.presented,
        proof: padata.proof,
        data: padata.data,
        kdc_options: kdc_options.and_then(Value::bits).unwrap_or_default(),
        cname: cname.and_then(field::principal_name),
        realm: field::string(realm?)?,
        sname: sname.and_then(field::principal_name),
        from: from.and_then(field::time),
        till: till.and_then(field::time),
        rtime: rtime.and_then(field::time),
        nonce: nonce.and_then(Value::uint32).unwrap_or_default(),
        etypes: field::list(etypes).filter_map(Value::int32).collect(),
        netbios,
        addresses,
        enc_authorization_data: enc_authorization_data.is_some(),
        additional: field::list(additional)
            .filter_map(|ticket| field::ticket(ticket, keytab))
            .collect(),
    })
}

fn ap_req(message: Value<'_>, keytab: Option<&Keytab>) -> Option<ApReq> {
    let [_pvno, _msg_type, ap_options, ticket, authenticator] = message.numbered()?;
    Some(ApReq {
        ap_options: ap_options.and_then(Value::bits).unwrap_or_default(),
        ticket: field::ticket(ticket?, keytab)?,
        authenticator_etype: authenticator.and_then(field::etype),
    })
}

fn kdc_rep<'a>(message: Value<'a>, keytab: Option<&Keytab>) -> Option<KdcRep<'a>> {
    let [_pvno, _msg_type, padata, crealm, cname, ticket, enc_part] = message.numbered()?;
    Some(KdcRep {
        padata,
        crealm: field::string(crealm?)?,
        cname: field::principal_name(cname?)?,
        ticket: field::ticket(ticket?, keytab)?,
        etype: field::etype(enc_part?)?,
    })
}

fn krb_error(message: Value<'_>) -> Option<KrbError<'_>> {
    let [
        _pvno,
        _msg_type,
        _ctime,
        _cusec,
        _stime,
        _susec,
        error_code,
        crealm,
        cname,
        realm,
        sname,
        _e_text,
        e_data,
    ] = message.numbered()?;
    Some(KrbError {
        code: error_code?.int32()?,
        crealm: crealm.and_then(field::string),
        cname: cname.and_then(field::principal_name),
        realm: realm.and_then(field::string).unwrap_or_default(),
        sname: sname.and_then(field::principal_name),
        e_data: e_data.and_then(|data| data.expect(der::OCTET_STRING)),
    })
}

impl Message<'_> {
    /// Messages inside this one: what is in `PA-TGS-REQ`, and what FAST's armour is made from.
    pub(crate) fn inner(&self) -> usize {
        match self {
            Self::AsReq(asked) | Self::TgsReq(asked) => {
                let armor = asked
                    .data
                    .fast
                    .as_ref()
                    .and_then(|fast| fast.armor.as_ref());
                usize::from(asked.presented.is_some()) + usize::from(armor.is_some())
            }
            _ => 0,
        }
    }
}

impl ApReq {
    /// The exchange that it began.
    pub(crate) fn exchange(self, carrier: Carrier, error: Option<i32>) -> ApExchange {
        ApExchange {
            ticket: self.ticket,
            carrier,
            ap_options: self.ap_options,
            authenticator_etype: self.authenticator_etype,
            error,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use rasn::types::{BitString, GeneralString};
    use rasn_kerberos as rfc;

    use super::*;

    fn string_of(text: &str) -> GeneralString {
        GeneralString::from_bytes(text.as_bytes()).unwrap()
    }

    fn name_of(name_type: i32, components: &[String]) -> rfc::PrincipalName {
        rfc::PrincipalName {
            r#type: name_type,
            string: components.iter().map(|part| string_of(part)).collect(),
        }
    }

    fn sealed(etype: i32, kvno: Option<u32>, cipher: &[u8]) -> rfc::EncryptedData {
        rfc::EncryptedData {
            etype,
            kvno,
            cipher: cipher.to_vec().into(),
        }
    }

    fn components() -> impl Strategy<Value = Vec<String>> {
        vec("[a-zA-Z0-9$./:-]{1,12}", 1..4)
    }

    proptest! {
        /// What another implementation of RFC 4120 writes is read as it was meant.
        #[test]
        fn replies_of_another_implementation_are_read(
            client in components(),
            service in components(),
            etypes in any::<[i32; 2]>(),
            kvno in any::<Option<u32>>(),
            cipher in vec(any::<u8>(), 0..300),
        ) {
            let ticket = rfc::Ticket {
                tkt_vno: 5.into(),
                realm: string_of("CORP.EXAMPLE"),
                sname: name_of(2, &service),
                enc_part: sealed(etypes[0], kvno, &cipher),
            };
            let reply = rfc::AsRep(rfc::KdcRep {
                pvno: 5.into(),
                msg_type: 11.into(),
                padata: None,
                crealm: string_of("CORP.EXAMPLE"),
                cname: name_of(1, &client),
                ticket,
                enc_part: sealed(etypes[1], None, &cipher),
            });
            let bytes = rasn::der::encode(&reply).unwrap();
            prop_assert_eq!(length(&bytes), Some(bytes.len()));
            let Some(Message::AsRep(read)) = parse(&bytes, None) else {
                panic!("{bytes:x?}");
            };
            let expected = Ticket {
                id: field::identity(&cipher),
                service: format!("{}@CORP.EXAMPLE", service.join("/")).into(),
                etype: etypes[0],
                kvno,
                length: cipher.len() as u32,
                opened: None,
            };
            prop_assert_eq!(read.ticket, expected);
            prop_assert_eq!(read.cname.components, client);
            prop_assert_eq!(read.etype, etypes[1]);
        }

        #[test]
        fn requests_of_another_implementation_are_read(
            client in components(),
            name_type in any::<i32>(),
            options in any::<[u8; 4]>(),
            nonce in any::<u32>(),
            etypes in vec(any::<i32>(), 0..10),
            padata in vec((2..200i32, vec(any::<u8>(), 0..20)), 0..6),
        ) {
            let till = rasn::der::decode(b"\x18\x0f20370913024805Z").unwrap();
            let request = rfc::AsReq(rfc::KdcReq {
                pvno: 5.into(),
                msg_type: 10.into(),
                padata: Some(
                    padata
                        .iter()
                        .map(|(kind, value)| rfc::PaData {
                            r#type: *kind,
                            value: value.clone().into(),
                        })
                        .collect(),
                ),
                req_body: rfc::KdcReqBody {
                    kdc_options: rfc::KdcOptions(BitString::from_slice(&options)),
                    cname: Some(name_of(name_type, &client)),
                    realm: string_of("CORP.EXAMPLE"),
                    sname: None,
                    from: None,
                    till,
                    rtime: None,
                    nonce,
                    etype: etypes.clone(),
                    addresses: None,
                    enc_authorization_data: None,
                    additional_tickets: None,
                },
            });
            let bytes = rasn::der::encode(&request).unwrap();
            let Some(Message::AsReq(read)) = parse(&bytes, None) else {
                panic!("{bytes:x?}");
            };
            let kinds: Vec<_> = padata.into_iter().map(|(kind, _)| kind).collect();
            prop_assert_eq!(read.kdc_options, u32::from_be_bytes(options));
            prop_assert_eq!(read.nonce, nonce);
            prop_assert_eq!(read.etypes, etypes);
            prop_assert_eq!(read.padata, kinds);
            let cname = read.cname.unwrap();
            prop_assert_eq!(cname.name_type, name_type);
            prop_assert_eq!(cname.components, client);
        }
    }
}
