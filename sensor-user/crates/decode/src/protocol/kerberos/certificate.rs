//! X.509 certificates (RFC 5280), read by a parser that others have fuzzed, and kept in bounds.

use std::fmt::Write;

use goshawk_model::{Certificate, KeyAlgorithm, Timestamp};
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::oid::Oid;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::time::ASN1Time;

use super::field;
use crate::der;

/// Names of one kind, purposes, and extensions, that are kept.
const MAX_NAMES: usize = 16;
/// Bytes of a serial number that are kept; RFC 5280 4.1.2.2 allows 20.
const MAX_SERIAL: usize = 32;

/// `szOID_NTDS_CA_SECURITY_EXT` ([MS-WCCE] 2.2.2.7.7.4).
const SID_EXTENSION: &str = "1.3.6.1.4.1.311.25.2";
/// `szOID_NT_PRINCIPAL_NAME` (RFC 4556 appendix C).
const PRINCIPAL_NAME: &str = "1.3.6.1.4.1.311.20.2.3";
/// Begins an alternative name that holds a SID.
const SID_TAG: &str = "tag:microsoft.com,2022-09-14:sid:";

/// Reads a certificate in DER.
pub(super) fn read(bytes: &[u8]) -> Option<Certificate> {
    let (_, parsed) = X509Certificate::from_der(bytes).ok()?;
    let key = parsed.public_key();
    let (key_algorithm, key_bits) = match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => (KeyAlgorithm::Rsa, bits(rsa.modulus)),
        Ok(PublicKey::EC(point)) => (KeyAlgorithm::Ec, point.key_size()),
        _ => (KeyAlgorithm::Other, 0),
    };
    let serial = parsed.raw_serial();
    let mut certificate = Certificate {
        issuer: field::cut(&parsed.issuer().to_string()).into(),
        subject: field::cut(&parsed.subject().to_string()).into(),
        serial: hexadecimal(serial.get(..MAX_SERIAL).unwrap_or(serial)),
        not_before: time(parsed.validity().not_before),
        not_after: time(parsed.validity().not_after),
        self_signed: parsed.issuer().as_raw() == parsed.subject().as_raw(),
        dns_names: Vec::new(),
        upns: Vec::new(),
        emails: Vec::new(),
        sid: None,
        eku: Vec::new(),
        extensions: Vec::new(),
        key_algorithm,
        key_bits: u32::try_from(key_bits).unwrap_or(0),
        key_sha256: hexadecimal(&Sha256::digest(key.raw)),
    };
    for extension in parsed.extensions() {
        add(&mut certificate.extensions, &extension.oid.to_id_string());
        match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => {
                for name in &names.general_names {
                    alternative(&mut certificate, name);
                }
            }
            ParsedExtension::ExtendedKeyUsage(_) => certificate.eku = purposes(extension.value),
            _ if extension.oid.to_id_string() == SID_EXTENSION => {
                certificate.sid = sid_extension(extension.value).or(certificate.sid);
            }
            _ => {}
        }
    }
    Some(certificate)
}

fn alternative(certificate: &mut Certificate, name: &GeneralName<'_>) {
    match name {
        GeneralName::DNSName(name) => add(&mut certificate.dns_names, name),
        GeneralName::RFC822Name(name) => add(&mut certificate.emails, name),
        GeneralName::OtherName(kind, value) if kind.to_id_string() == PRINCIPAL_NAME => {
            if let Some(name) = wrapped(value) {
                add(&mut certificate.upns, &String::from_utf8_lossy(name));
            }
        }
        GeneralName::URI(uri) => {
            if let Some(sid) = uri.strip_prefix(SID_TAG) {
                certificate
                    .sid
                    .get_or_insert_with(|| field::cut(sid).into());
            }
        }
        _ => {}
    }
}

/// `ExtKeyUsageSyntax`, as dotted object identifiers.
fn purposes(value: &[u8]) -> Vec<Box<str>> {
    let usage = der::read(value).and_then(|(usage, _)| usage.elements());
    usage
        .into_iter()
        .flatten()
        .take(MAX_NAMES)
        .filter_map(|purpose| purpose.expect(der::OBJECT_IDENTIFIER))
        .map(|purpose| field::cut(&Oid::new(purpose.into()).to_id_string()).into())
        .collect()
}

fn add(names: &mut Vec<Box<str>>, name: &str) {
    if names.len() < MAX_NAMES {
        names.push(field::cut(name).into());
    }
}

/// `GeneralNames` with one `otherName`, whose value is the SID as text.
fn sid_extension(value: &[u8]) -> Option<Box<str>> {
    let (names, _) = der::read(value)?;
    let (other_name, _) = der::read(names.expect(der::SEQUENCE)?)?;
    let (_kind, value) = der::read(other_name.content)?;
    let sid = String::from_utf8_lossy(wrapped(value)?);
    Some(field::cut(&sid).into())
}

/// The contents of the value in `[0]`.
fn wrapped(value: &[u8]) -> Option<&[u8]> {
    let (outer, _) = der::read(value)?;
    der::read(outer.content).map(|(value, _)| value.content)
}

/// The length of an `INTEGER`'s value.
fn bits(integer: &[u8]) -> usize {
    let zeros = integer.iter().take_while(|&&byte| byte == 0).count();
    let significant = integer.get(zeros..).unwrap_or_default();
    let unused = significant.first().map_or(0, |first| first.leading_zeros());
    (significant.len() * 8).saturating_sub(unused as usize)
}

fn time(time: ASN1Time) -> Timestamp {
    Timestamp::from_parts(u64::try_from(time.timestamp()).unwrap_or(0), 0)
}

fn hexadecimal(bytes: &[u8]) -> Box<str> {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text.into()
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use rcgen::{
        CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, KeyPair,
        OtherNameValue, SanType, SerialNumber, date_time_ymd,
    };

    use super::*;

    const SID: &[u8] = b"S-1-5-21-1-2-3-1104";

    /// A self-signed certificate of another writer, as shadow credentials have them.
    pub(in super::super) fn written(name: &str, serial: u64) -> Vec<u8> {
        let mut params = CertificateParams::new([format!("{name}.corp.example")]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from(serial));
        params.not_before = date_time_ymd(1950, 1, 1);
        params.not_after = date_time_ymd(2999, 1, 1);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let upn = OtherNameValue::Utf8String(format!("{name}@corp.example"));
        params.subject_alt_names.push(SanType::OtherName((
            vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3],
            upn,
        )));
        // SEQUENCE { [0] { OID 1.3.6.1.4.1.311.25.2.1, [0] { OCTET STRING } } }
        let octets = [&[0xa0, 21, 4, 19][..], SID].concat();
        let kind = [6, 10, 0x2b, 6, 1, 4, 1, 0x82, 0x37, 25, 2, 1];
        let other = [&[0xa0, 35][..], &kind, &octets].concat();
        let sid = [&[0x30, 37][..], &other].concat();
        let oid = [1, 3, 6, 1, 4, 1, 311, 25, 2];
        params.custom_extensions = vec![CustomExtension::from_oid_content(&oid, sid)];
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn what_another_writer_says_is_read() {
        let read = read(&written("alice", 0x1234)).unwrap();
        assert!(read.self_signed);
        assert!(read.subject.contains("CN=alice") && read.issuer == read.subject);
        assert_eq!(&*read.serial, "1234");
        assert_eq!(read.dns_names, ["alice.corp.example".into()]);
        assert_eq!(read.upns, ["alice@corp.example".into()]);
        assert_eq!(read.sid.as_deref().map(str::as_bytes), Some(SID));
        assert_eq!(read.eku, ["1.3.6.1.5.5.7.3.2".into()]);
        assert_eq!((read.key_algorithm, read.key_bits), (KeyAlgorithm::Ec, 256));
        assert_eq!(read.key_sha256.len(), 64);
        // Times that a timestamp does not hold end where it does.
        assert_eq!(
            (read.not_before, read.not_after),
            (Timestamp::ZERO, Timestamp::MAX)
        );
    }

    #[test]
    fn leading_zeros_are_no_bits() {
        assert_eq!(bits(&[0, 0x80, 0]), 16);
        assert_eq!(bits(&[1, 0]), 9);
        assert_eq!(bits(&[0]), 0);
    }

    proptest! {
        #[test]
        fn changed_bytes_are_survived(
            changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            end in any::<prop::sample::Index>(),
        ) {
            let mut bytes = written("alice", 1);
            for (at, byte) in changes {
                *at.get_mut(&mut bytes) = byte;
            }
            read(&bytes);
            bytes.truncate(end.index(bytes.len()));
            prop_assert_eq!(read(&bytes), None);
        }
    }
}
