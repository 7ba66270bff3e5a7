//! Kerberos messages, as far as their clear text goes (RFC 4120 section 5).

use std::borrow::Cow;

use goshawk_model::kerberos::{ApExchange, Ticket, padata};
use goshawk_model::{Account, Carrier, Digest};

use crate::der::{self, Value};

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
}

/// `KDC-REQ`, section 5.4.1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KdcReq<'a> {
    /// Types of the `padata`, in order.
    pub(crate) padata: Vec<i32>,
    /// What is in `PA-TGS-REQ`.
    pub(crate) presented: Option<ApReq>,
    pub(crate) kdc_options: u32,
    pub(crate) cname: Option<PrincipalName<'a>>,
    pub(crate) realm: Cow<'a, str>,
    pub(crate) sname: Option<PrincipalName<'a>>,
    pub(crate) nonce: u32,
    pub(crate) etypes: Vec<i32>,
    /// NetBIOS names among the `addresses`.
    pub(crate) netbios: Vec<Box<str>>,
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
    pub(crate) crealm: Cow<'a, str>,
    pub(crate) cname: PrincipalName<'a>,
    pub(crate) ticket: Ticket,
    /// `enc-part.etype`
    pub(crate) etype: i32,
}

/// `KRB-ERROR`, section 5.9.1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KrbError<'a> {
    pub(crate) code: i32,
    pub(crate) crealm: Option<Cow<'a, str>>,
    pub(crate) cname: Option<PrincipalName<'a>>,
    pub(crate) realm: Cow<'a, str>,
    pub(crate) sname: Option<PrincipalName<'a>>,
}

/// `PrincipalName`, section 5.2.2.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PrincipalName<'a> {
    pub(crate) name_type: i32,
    pub(crate) components: Vec<Cow<'a, str>>,
}

/// Elements read of any list in a message; more are no use to anybody and cost memory.
const MAX_ELEMENTS: usize = 64;

const AS_REQ: u8 = 10;
const AS_REP: u8 = 11;
const TGS_REQ: u8 = 12;
const TGS_REP: u8 = 13;
const AP_REQ: u8 = 14;
const AP_REP: u8 = 15;
const KRB_ERROR: u8 = 30;
/// Identifier octet of a constructed value with tag `[APPLICATION 0]`.
const APPLICATION: u8 = 0x60;
const TICKET: u8 = 1;
/// `HostAddress.addr-type` of a NetBIOS name (section 7.5.3).
const ADDRESS_NETBIOS: i32 = 20;

/// The length of the message that `bytes` begins with, if it looks like one. Cheap.
pub(crate) fn length(bytes: &[u8]) -> Option<usize> {
    let (tag, header, length) = der::header(bytes)?;
    let known = matches!(
        tag.wrapping_sub(APPLICATION),
        AS_REQ | AS_REP | TGS_REQ | TGS_REP | AP_REQ | AP_REP | KRB_ERROR
    );
    let inner = bytes.get(header).is_none_or(|&tag| tag == der::SEQUENCE);
    (known && inner && length >= 16).then(|| header.saturating_add(length))
}

/// Reads a message; `None` if it is none, or lacks what every message of its type has.
pub(crate) fn parse(bytes: &[u8]) -> Option<Message<'_>> {
    let (outer, _) = der::read(bytes)?;
    let (message, _) = der::read(outer.content)?;
    Some(match outer.tag.wrapping_sub(APPLICATION) {
        AS_REQ => Message::AsReq(kdc_req(message)?),
        TGS_REQ => Message::TgsReq(kdc_req(message)?),
        AS_REP => Message::AsRep(kdc_rep(message)?),
        TGS_REP => Message::TgsRep(kdc_rep(message)?),
        AP_REQ => Message::ApReq(ap_req(message)?),
        AP_REP => message.field(2).map(|_encrypted| Message::ApRep)?,
        KRB_ERROR => Message::Error(krb_error(message)?),
        _ => return None,
    })
}

fn kdc_req(message: Value<'_>) -> Option<KdcReq<'_>> {
    let body = message.field(4)?;
    let mut types = Vec::new();
    let mut presented = None;
    for element in list(message.field(3)) {
        let padata_type = element.field(1)?.int32()?;
        types.push(padata_type);
        if padata_type == padata::TGS_REQ && presented.is_none() {
            let value = element.field(2)?.expect(der::OCTET_STRING)?;
            if let Some(Message::ApReq(asked)) = parse(value) {
                presented = Some(asked);
            }
        }
    }
    Some(KdcReq {
        padata: types,
        presented,
        kdc_options: body.field(0).and_then(Value::bits).unwrap_or_default(),
        cname: body.field(1).and_then(principal_name),
        realm: string(body.field(2)?)?,
        sname: body.field(3).and_then(principal_name),
        nonce: body.field(7).and_then(Value::uint32).unwrap_or_default(),
        etypes: list(body.field(8)).filter_map(Value::int32).collect(),
        netbios: list(body.field(9)).filter_map(netbios_name).collect(),
        additional: list(body.field(11)).filter_map(ticket).collect(),
    })
}

fn ap_req(message: Value<'_>) -> Option<ApReq> {
    Some(ApReq {
        ap_options: message.field(2).and_then(Value::bits).unwrap_or_default(),
        ticket: ticket(message.field(3)?)?,
        authenticator_etype: message.field(4).and_then(etype),
    })
}

fn kdc_rep(message: Value<'_>) -> Option<KdcRep<'_>> {
    Some(KdcRep {
        crealm: string(message.field(3)?)?,
        cname: principal_name(message.field(4)?)?,
        ticket: ticket(message.field(5)?)?,
        etype: etype(message.field(6)?)?,
    })
}

fn krb_error(message: Value<'_>) -> Option<KrbError<'_>> {
    Some(KrbError {
        code: message.field(6)?.int32()?,
        crealm: message.field(7).and_then(string),
        cname: message.field(8).and_then(principal_name),
        realm: message.field(9).and_then(string).unwrap_or_default(),
        sname: message.field(10).and_then(principal_name),
    })
}

/// `etype` of `EncryptedData`, section 5.2.9.
fn etype(value: Value<'_>) -> Option<i32> {
    value.field(0)?.int32()
}

/// `Ticket`, section 5.3.
fn ticket(value: Value<'_>) -> Option<Ticket> {
    let (sequence, _) = der::read(value.expect(APPLICATION | TICKET)?)?;
    let enc_part = sequence.field(3)?;
    let cipher = enc_part.field(2)?.expect(der::OCTET_STRING)?;
    let service = principal_name(sequence.field(2)?)?;
    Some(Ticket {
        id: Digest::of(&[cipher]),
        service: service.text(&string(sequence.field(1)?)?),
        etype: etype(enc_part)?,
        kvno: enc_part.field(1).and_then(Value::uint32),
        length: u32::try_from(cipher.len()).ok()?,
    })
}

fn principal_name(value: Value<'_>) -> Option<PrincipalName<'_>> {
    Some(PrincipalName {
        name_type: value.field(0)?.int32()?,
        components: list(value.field(1)).filter_map(string).collect(),
    })
}

/// A `KerberosString`: ASCII by the letter of section 5.2.1, UTF-8 in practice.
fn string(value: Value<'_>) -> Option<Cow<'_, str>> {
    const GENERAL_STRING: u8 = 0x1b;
    value.expect(GENERAL_STRING).map(String::from_utf8_lossy)
}

/// A `HostAddress` with a NetBIOS name: 16 bytes, padded with blanks, the last one a type.
fn netbios_name(address: Value<'_>) -> Option<Box<str>> {
    if address.field(0)?.int32()? != ADDRESS_NETBIOS {
        return None;
    }
    let name = address.field(1)?.expect(der::OCTET_STRING)?;
    let name = String::from_utf8_lossy(name.get(..15).unwrap_or(name));
    let name = name.trim_end_matches([' ', '\0']);
    (!name.is_empty()).then(|| name.into())
}

fn list(value: Option<Value<'_>>) -> impl Iterator<Item = Value<'_>> {
    value
        .and_then(Value::elements)
        .into_iter()
        .flatten()
        .take(MAX_ELEMENTS)
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

impl PrincipalName<'_> {
    /// `class/instance@realm` in the wire's case, each side cut at [`MAX_TEXT`]: what is kept of a
    /// name must not be as long as an attacker likes.
    pub(crate) fn text(&self, realm: &str) -> Box<str> {
        let name = self.components.join("/");
        format!("{}@{}", cut(&name), cut(realm)).into()
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
}

/// Longest service name, and realm, that is kept, bytes; a DNS name has 253 (RFC 1035 2.3.4).
const MAX_TEXT: usize = 384;

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT))
        .unwrap_or(text)
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
            let Some(Message::AsRep(read)) = parse(&bytes) else {
                panic!("{bytes:x?}");
            };
            let expected = Ticket {
                id: Digest::of(&[&cipher]),
                service: format!("{}@CORP.EXAMPLE", service.join("/")).into(),
                etype: etypes[0],
                kvno,
                length: cipher.len() as u32,
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
            let Some(Message::AsReq(read)) = parse(&bytes) else {
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
}
