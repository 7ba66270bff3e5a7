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
