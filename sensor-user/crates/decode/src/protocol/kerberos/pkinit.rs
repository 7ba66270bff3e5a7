//! Certificates instead of passwords: `PA-PK-AS-REQ` of RFC 4556 3.2.1, and of the drafts before
//! it ([MS-PKCA] 2.2.3). Inside is a CMS `SignedData` (RFC 5652 5.1), of which the signer's
//! certificate matters.

use goshawk_model::kerberos::Pkinit;

use super::certificate;
use crate::der::{self, Value};

/// Certificates looked at for the signer's; clients send their own and sometimes its issuers'.
const MAX_CERTIFICATES: usize = 16;

/// `SET`, constructed.
const SET: u8 = 0x31;
/// `[0]` of an implicit `SET OF`, or around a value.
const CONTEXT_0: u8 = 0xa0;

/// Reads a `PA-PK-AS-REQ`; of a `draft` the `signedAuthPack` is the value itself, later an
/// implicit `OCTET STRING` around it. Both begin with `[0]`.
pub(super) fn read(value: &[u8], draft: bool) -> Option<Pkinit> {
    let (request, _) = der::read(value)?;
    let signed_auth_pack = request.elements()?.find(|field| field.tag & 0x1f == 0)?;
    let (content_info, _) = der::read(signed_auth_pack.content)?;
    let signed_data = behind_type(content_info)?;

    let mut fields = signed_data.elements()?.skip(2);
    let auth_pack = fields.next().and_then(behind_type);
    let (mut certificates, mut signer_infos) = (None, None);
    for field in fields {
        match field.tag {
            CONTEXT_0 => certificates = Some(field.content),
            SET => signer_infos = Some(field.content),
            _ => {}
        }
    }
    let signer = signer_infos
        .and_then(|infos| der::read(infos))
        .map(|it| it.0);
    Some(Pkinit {
        draft,
        signed: signer.is_some(),
        diffie_hellman: auth_pack.is_some_and(agrees_on_key),
        certificate: certificates
            .zip(signer)
            .and_then(|(certificates, signer)| signers(certificates, signer))
            .and_then(certificate::read),
    })
}

/// `content` of a `ContentInfo` or an `EncapsulatedContentInfo`.
fn behind_type(info: Value<'_>) -> Option<Value<'_>> {
    let content = info.elements()?.find(|field| field.tag == CONTEXT_0)?;
    der::read(content.content).map(|(content, _)| content)
}

/// Whether an `AuthPack` has a `clientPublicValue` (RFC 4556 3.2.1).
fn agrees_on_key(auth_pack: Value<'_>) -> bool {
    auth_pack
        .expect(der::OCTET_STRING)
        .and_then(der::read)
        .is_some_and(|(auth_pack, _)| auth_pack.field(1).is_some())
}

/// The certificate that `signer`, a `SignerInfo`, names by issuer and serial number (RFC 5652
/// 5.3); the first one where it names another thing.
fn signers<'a>(certificates: &'a [u8], signer: Value<'_>) -> Option<&'a [u8]> {
    let named = signer.elements().and_then(|mut fields| fields.nth(1));
    let mut rest = certificates;
    for _ in 0..MAX_CERTIFICATES {
        let Some((value, behind)) = der::read(rest) else {
            break;
        };
        let certificate = rest.get(..rest.len() - behind.len())?;
        if is_named(value, named) == Some(true) {
            return Some(certificate);
        }
        rest = behind;
    }
    let (_, behind) = der::read(certificates)?;
    certificates.get(..certificates.len() - behind.len())
}

/// Whether issuer and serial number of `certificate` are those in `named`.
fn is_named(certificate: Value<'_>, named: Option<Value<'_>>) -> Option<bool> {
    let mut named = named?.elements()?;
    let (issuer, serial) = (named.next()?, named.next()?);
    // The version, [0], may be missing.
    let mut fields = certificate
        .elements()?
        .next()?
        .elements()?
        .skip_while(|field| field.tag == CONTEXT_0);
    let (its_serial, _algorithm, its_issuer) = (fields.next()?, fields.next()?, fields.next()?);
    Some(serial == its_serial && issuer == its_issuer)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::certificate::tests::written;
    use super::*;

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = (content.len() as u32).to_be_bytes();
        [&[tag, 0x84][..], &length, content].concat()
    }

    /// `IssuerAndSerialNumber` of a certificate.
    fn issuer_and_serial(certificate: &[u8]) -> Vec<u8> {
        let (certificate, _) = der::read(certificate).unwrap();
        let (tbs, _) = der::read(certificate.content).unwrap();
        let fields: Vec<_> = der::values(tbs.content).collect();
        let issuer = tlv(fields[3].tag, fields[3].content);
        let serial = tlv(fields[1].tag, fields[1].content);
        tlv(der::SEQUENCE, &[issuer, serial].concat())
    }

    /// A `ContentInfo` with `SignedData`, signed by the owner of the certificate `by`.
    fn content_info(certificates: &[Vec<u8>], by: Option<&[u8]>, agrees: bool) -> Vec<u8> {
        let mut auth_pack = tlv(0xa0, &tlv(der::SEQUENCE, &[]));
        if agrees {
            auth_pack.extend(tlv(0xa1, &tlv(der::SEQUENCE, &[])));
        }
        let auth_pack = tlv(der::OCTET_STRING, &tlv(der::SEQUENCE, &auth_pack));
        let oid = tlv(der::OBJECT_IDENTIFIER, &[0x2b, 6, 1, 5, 2, 3, 1]);
        let encapsulated = [oid.clone(), tlv(CONTEXT_0, &auth_pack)].concat();
        let signer = by.map(|certificate| {
            let version = tlv(2, &[1]);
            tlv(
                der::SEQUENCE,
                &[version, issuer_and_serial(certificate)].concat(),
            )
        });
        let signed_data = [
            tlv(2, &[3]),
            tlv(SET, &[]),
            tlv(der::SEQUENCE, &encapsulated),
            tlv(CONTEXT_0, &certificates.concat()),
            tlv(SET, &signer.unwrap_or_default()),
        ];
        let signed_data = tlv(der::SEQUENCE, &signed_data.concat());
        tlv(der::SEQUENCE, &[oid, tlv(CONTEXT_0, &signed_data)].concat())
    }

    #[test]
    fn the_signers_certificate_is_found_in_both_forms() {
        let certificates = [written("issuer", 7), written("alice", 8)];
        let info = content_info(&certificates, Some(&certificates[1]), true);
        for (tag, draft) in [(0x80, false), (CONTEXT_0, true)] {
            let request = tlv(der::SEQUENCE, &tlv(tag, &info));
            let pkinit = read(&request, draft).unwrap();
            assert!(pkinit.signed && pkinit.diffie_hellman);
            assert_eq!(pkinit.draft, draft);
            assert_eq!(&*pkinit.certificate.unwrap().serial, "08");
        }
    }

    #[test]
    fn who_signs_nothing_has_no_certificate() {
        let info = content_info(&[], None, false);
        let pkinit = read(&tlv(der::SEQUENCE, &tlv(0x80, &info)), false).unwrap();
        assert_eq!(pkinit, Pkinit::default());
    }

    proptest! {
        #[test]
        fn changed_bytes_are_survived(
            changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        ) {
            let certificate = written("alice", 8);
            let info = content_info(std::slice::from_ref(&certificate), Some(&certificate), true);
            let mut request = tlv(der::SEQUENCE, &tlv(0x80, &info));
            for (at, byte) in changes {
                *at.get_mut(&mut request) = byte;
            }
            read(&request, false);
        }
    }
}
