//! What pre-authentication data tell in clear text (RFC 4120 5.2.7, RFC 6113, [MS-KILE] 2.2,
//! [MS-SFU] 2.2), and what errors carry in their `e-data`.

use goshawk_model::kerberos::{
    AnswerData, EtypeInfo, Fast, ForUser, RequestData, S4uX509User, padata,
};
use goshawk_model::{Account, Digest};

use super::field;
use super::message::{self, ApReq, Message};
use super::{certificate, pkinit};
use crate::der::{self, Value};
use crate::keytab::Keytab;
use crate::wire::{Order, Wire};

/// The `padata` of a request.
#[derive(Debug, Default)]
pub(super) struct Requested {
    /// `padata-type` of each element, in order.
    pub(super) types: Vec<i32>,
    /// What is in `PA-TGS-REQ`.
    pub(super) presented: Option<ApReq>,
    /// What `PA-TGS-REQ` is known by. It ends in the authenticator, which is fresh in every request
    /// and holds a checksum of all the rest (RFC 4120 5.5.1, 7.2.2).
    pub(super) proof: Option<Digest>,
    /// What the others tell.
    pub(super) data: RequestData,
}

/// Reads the `padata` of a request. Of a type that occurs twice the first counts.
pub(super) fn of_request(list: Option<Value<'_>>, keytab: Option<&Keytab>) -> Requested {
    let mut requested = Requested::default();
    for (kind, value) in elements(list) {
        let seen = requested.types.contains(&kind);
        requested.types.push(kind);
        if let Some(value) = value.filter(|_| !seen) {
            requested.take(kind, value, keytab);
        }
    }
    requested
}

/// Reads the `padata` of a reply.
pub(super) fn of_reply(list: Option<Value<'_>>) -> AnswerData {
    let mut answer = AnswerData::default();
    for (kind, value) in elements(list) {
        answer.padata.push(kind);
        hint(&mut answer, kind, value.unwrap_or_default());
    }
    answer
}

/// Reads the `e-data` of an error: a `METHOD-DATA` (RFC 4120 5.9.1), or a `KERB-ERROR-DATA`
/// ([MS-KILE] 2.2.2), which looks like a single element of one.
pub(super) fn of_error(e_data: &[u8]) -> AnswerData {
    let mut answer = AnswerData::default();
    let Some((value, _)) = der::read(e_data) else {
        return answer;
    };
    let is_list = value.content.first() == Some(&der::SEQUENCE);
    if let Some((KERB_ERR_TYPE_EXTENDED, Some(value))) = element(value).filter(|_| !is_list) {
        answer.status = extended_status(value);
        return answer;
    }
    for (kind, value) in elements(Some(value)) {
        let value = value.unwrap_or_default();
        answer.padata.push(kind);
        match extended_status(value) {
            Some(status) if kind == padata::PW_SALT => answer.status = Some(status),
            _ => hint(&mut answer, kind, value),
        }
    }
    answer
}

/// Salts kept of an answer; a KDC knows fewer encryption types.
const MAX_HINTS: usize = 16;

/// `data-type` of a `KERB-EXT-ERROR` ([MS-KILE] 2.2.2); as a type of `padata` it is a salt.
const KERB_ERR_TYPE_EXTENDED: i32 = padata::PW_SALT;

/// Elements of a list as types and values.
fn elements(list: Option<Value<'_>>) -> impl Iterator<Item = (i32, Option<&[u8]>)> {
    field::list(list).filter_map(element)
}

/// `PA-DATA`.
fn element(value: Value<'_>) -> Option<(i32, Option<&[u8]>)> {
    let [_, padata_type, padata_value] = value.numbered()?;
    let value = padata_value.and_then(|value| value.expect(der::OCTET_STRING));
    Some((padata_type?.int32()?, value))
}

impl Requested {
    fn take(&mut self, kind: i32, value: &[u8], keytab: Option<&Keytab>) {
        let Self {
            presented,
            proof,
            data,
            ..
        } = self;
        match kind {
            padata::TGS_REQ => {
                if let Some(Message::ApReq(asked)) = message::parse(value, keytab) {
                    *presented = Some(asked);
                    *proof = Some(field::identity(value));
                }
            }
            padata::ENC_TIMESTAMP | padata::ENCRYPTED_CHALLENGE => {
                data.proof_etype = sequence(value).and_then(field::etype);
            }
            padata::PK_AS_REQ => data.pkinit = pkinit::read(value, false).map(Box::new),
            padata::PK_AS_REQ_OLD | padata::PK_AS_REQ_DRAFT => {
                data.pkinit = pkinit::read(value, true).map(Box::new);
            }
            padata::FX_FAST => data.fast = fast(value, keytab).map(Box::new),
            padata::PAC_REQUEST => data.include_pac = include_pac(value),
            padata::PAC_OPTIONS => {
                data.pac_options = sequence(value).and_then(|it| it.field(0)?.bits());
            }
            padata::FOR_USER => data.for_user = for_user(value).map(Box::new),
            padata::S4U_X509_USER => data.s4u_x509_user = s4u_x509_user(value).map(Box::new),
            padata::KEY_LIST_REQ => {
                let etypes = field::list(sequence(value));
                data.key_list = etypes.filter_map(Value::int32).collect();
            }
            _ => {}
        }
    }
}

fn sequence(value: &[u8]) -> Option<Value<'_>> {
    let (sequence, _) = der::read(value)?;
    (sequence.tag == der::SEQUENCE).then_some(sequence)
}

/// `KERB-PA-PAC-REQUEST` ([MS-KILE] 2.2.3).
fn include_pac(value: &[u8]) -> Option<bool> {
    const BOOLEAN: u8 = 0x01;
    let include = sequence(value)?.field(0)?.expect(BOOLEAN)?;
    include.first().map(|&include| include != 0)
}

/// `PA-FX-FAST-REQUEST` with its only choice, `armored-data` (RFC 6113 5.4.2).
fn fast(value: &[u8], keytab: Option<&Keytab>) -> Option<Fast> {
    const ARMORED_DATA: u8 = 0xa0;
    const FX_FAST_ARMOR_AP_REQUEST: i32 = 1;
    let (choice, _) = der::read(value)?;
    let [armor, _req_checksum, enc_fast_req] =
        sequence(choice.expect(ARMORED_DATA)?)?.numbered()?;
    let [armor_type, armor_value] = armor.and_then(Value::numbered).unwrap_or_default();
    let armor_type = armor_type.and_then(Value::int32);
    let armor = armor_value
        .filter(|_| armor_type == Some(FX_FAST_ARMOR_AP_REQUEST))
        .and_then(|value| message::parse(value.expect(der::OCTET_STRING)?, keytab));
    Some(Fast {
        armor_type,
        armor: match armor {
            Some(Message::ApReq(asked)) => Some(asked.ticket),
            _ => None,
        },
        etype: field::etype(enc_fast_req?)?,
    })
}

/// `PA-FOR-USER-ENC` ([MS-SFU] 2.2.1).
fn for_user(value: &[u8]) -> Option<ForUser> {
    let [user_name, user_realm, _cksum, auth_package] = sequence(value)?.numbered()?;
    let realm = field::string(user_realm?)?;
    let auth_package = auth_package.and_then(field::string).unwrap_or_default();
    Some(ForUser {
        user: field::principal_name(user_name?)?.account(&realm)?,
        auth_package: field::cut(&auth_package).into(),
    })
}

/// `PA-S4U-X509-USER` with its `S4UUserID` ([MS-SFU] 2.2.2); in an AS-REQ, which finds out whose a
/// certificate is, the certificate alone ([MS-SFU] 3.1.5.1.1.1).
fn s4u_x509_user(value: &[u8]) -> Option<S4uX509User> {
    if let Some(certificate) = certificate::read(value) {
        return Some(S4uX509User {
            user: None,
            certificate: Some(certificate),
            options: None,
        });
    }
    let [_nonce, cname, crealm, subject_certificate, options] =
        sequence(value)?.field(0)?.numbered()?;
    let realm = crealm.and_then(field::string).unwrap_or_default();
    let certificate = subject_certificate.and_then(|value| value.expect(der::OCTET_STRING));
    Some(S4uX509User {
        user: cname.and_then(|name| field::principal_name(name)?.account(&realm)),
        certificate: certificate.and_then(certificate::read),
        options: options.and_then(Value::bits),
    })
}

/// What a KDC hints at: how the client's key is made, and who took its place.
fn hint(answer: &mut AnswerData, kind: i32, value: &[u8]) {
    match kind {
        padata::ETYPE_INFO | padata::ETYPE_INFO2 => {
            // Both say the same, where both are there.
            let entries = field::list(sequence(value)).take(MAX_HINTS);
            let entries = entries.filter_map(etype_info);
            if answer.etype_info.is_empty() {
                answer.etype_info.extend(entries);
            }
        }
        padata::PW_SALT if answer.etype_info.is_empty() => answer.etype_info.push(EtypeInfo {
            etype: None,
            salt: Some(field::cut(&String::from_utf8_lossy(value)).into()),
        }),
        padata::SUPERSEDED_BY_USER => answer.superseded_by = superseded_by(value),
        _ => {}
    }
}

/// `ETYPE-INFO-ENTRY` or `ETYPE-INFO2-ENTRY`: the salt is an `OCTET STRING` or a `KerberosString`.
fn etype_info(entry: Value<'_>) -> Option<EtypeInfo> {
    let [etype, salt] = entry.numbered()?;
    let salt = salt.map(|salt| String::from_utf8_lossy(salt.content));
    Some(EtypeInfo {
        etype: Some(etype?.int32()?),
        salt: salt.map(|salt| field::cut(&salt).into()),
    })
}

/// `KERB-SUPERSEDED-BY-USER` ([MS-KILE] 2.2.13).
fn superseded_by(value: &[u8]) -> Option<Account> {
    let [name, realm] = sequence(value)?.numbered()?;
    let realm = realm.and_then(field::string).unwrap_or_default();
    field::principal_name(name?)?.account(&realm)
}

/// `status` of a `KERB-EXT-ERROR` ([MS-KILE] 2.2.1). An NTSTATUS that is an error begins with the
/// bits 11, which tells it from a salt of as many letters.
fn extended_status(value: &[u8]) -> Option<u32> {
    const ERROR: u32 = 0xc000_0000;
    let mut wire = Wire::new(value, Order::Little);
    let status = wire.u32()?;
    (value.len() == 12 && status & ERROR == ERROR).then_some(status)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_of_any_type_are_survived(
            kind in 0..180i32,
            head in 0..4usize,
            bytes in vec(any::<u8>(), 0..120),
        ) {
            let head = [&[][..], &[0x30, 60], &[0xa0, 60, 0x30, 58], &[0x30, 60, 0xa0, 58]][head];
            let value = [head, &bytes].concat();
            let mut requested = Requested::default();
            requested.take(kind, &value, None);
            let mut answer = AnswerData::default();
            hint(&mut answer, kind, &value);
            prop_assert!(requested.data.key_list.len() <= 64 && answer.etype_info.len() <= MAX_HINTS);
            of_error(&value);
        }
    }
}
