//! The console's own certificate authority, and every certificate that it issues.
//!
//! Sensors trust this authority and no other; its fingerprint travels in the enrollment token.
//! Certificates begin a day in the past, because the clocks of machines that need watching are
//! off more often than not.

mod identity;

use std::fs;
use std::path::Path;
use std::time::Duration;

use goshawk_model::{Timestamp, frame};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
    SerialNumber, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::clock;
use crate::data::{DataDir, write_private};
use crate::secret;
use crate::{Error, Result};

pub use identity::Identity;

const DAY: Duration = Duration::from_secs(86_400);
/// How far in the past a certificate begins.
const BACKDATE: Duration = DAY;
/// How long a sensor's or the ingest's certificate lasts.
pub const LEAF_LIFETIME: Duration = Duration::from_secs(90 * 86_400);
/// How long the portal's certificate lasts; browsers take up to 398 days.
const PORTAL_LIFETIME: Duration = Duration::from_secs(397 * 86_400);
/// The last year of the authority itself: replacing it means enrolling every sensor again.
const CA_LAST_YEAR: i32 = 2126;

/// The certificate authority.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

/// A certificate just issued to a sensor.
#[derive(Clone, Debug)]
pub struct Issued {
    /// X.509, DER.
    pub certificate: Vec<u8>,
    /// SHA-256 of it, by which the store knows the sensor.
    pub fingerprint: [u8; 32],
    /// When it runs out.
    pub expires: Timestamp,
}

impl Authority {
    /// The authority of this data directory, made at the first start.
    ///
    /// # Errors
    /// If key or certificate cannot be read, written or do not belong together.
    pub fn open(data: &DataDir) -> Result<Self> {
        let (key_path, certificate_path) = (data.file("ca.key"), data.file("ca.pem"));
        if !key_path.exists() && !certificate_path.exists() {
            let key = new_key()?;
            let certificate = ca_params()?
                .self_signed(&key)
                .map_err(|error| failed("make the CA's certificate", &error))?;
            write_private(&certificate_path, certificate.pem().as_bytes())?;
            // The key last: with it the authority exists.
            write_private(&key_path, key.serialize_pem().as_bytes())?;
        }
        let key = read_key(&key_path)?;
        let certificate = read_certificate(&certificate_path)?;
        let (_, parsed) = X509Certificate::from_der(&certificate)
            .map_err(|error| broken(&certificate_path, &error.to_string()))?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(broken(&certificate_path, "it is not of the key in ca.key"));
        }
        let issuer = Issuer::from_ca_cert_der(&certificate, key)
            .map_err(|error| broken(&certificate_path, &error.to_string()))?;
        Ok(Self {
            issuer,
            certificate,
        })
    }

    /// The authority's certificate.
    pub const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// SHA-256 of the authority's certificate, as tokens carry it.
    pub fn fingerprint(&self) -> [u8; 32] {
        secret::digest(&self.certificate)
    }

    /// A secret that stays the same as long as the authority does, and says nothing of its key.
    ///
    /// A console that was killed and started again resets the connections it does not know with it
    /// (RFC 9000 section 10.3), so that sensors call again at once instead of after their timeout.
    pub fn reset_secret(&self) -> [u8; 32] {
        let key = self.issuer.key().serialize_der();
        secret::digest(&[b"goshawk stateless reset".as_slice(), &key].concat())
    }

    /// A fresh key and certificate for the ingest, under [`frame::SERVER_NAME`]. Sensors trust
    /// the authority, so neither needs to outlive the process.
    ///
    /// # Errors
    /// If making or signing fails.
    pub fn ingest_identity(&self) -> Result<CertifiedKey> {
        let key = new_key()?;
        let params = leaf_params(
            frame::SERVER_NAME,
            vec![frame::SERVER_NAME.into()],
            ExtendedKeyUsagePurpose::ServerAuth,
            LEAF_LIFETIME,
        )?;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .map_err(|error| failed("issue the ingest's certificate", &error))?;
        self.certified(certificate.der().clone(), &key)
    }

    /// The portal's key and certificate for `names`: kept in the data directory, so that who has
    /// compared its fingerprint once need not do it again, and made anew when `names` has grown
    /// or a third of its life is left.
    ///
    /// # Errors
    /// If it cannot be read, made or written.
    pub fn portal_identity(&self, data: &DataDir, names: &[String]) -> Result<CertifiedKey> {
        let (key_path, certificate_path) = (data.file("portal.key"), data.file("portal.pem"));
        if key_path.exists() && certificate_path.exists() {
            let (key, certificate) = (read_key(&key_path)?, read_certificate(&certificate_path)?);
            if self.portal_still_good(&certificate, &key, names) {
                return self.certified(certificate, &key);
            }
        }
        let key = new_key()?;
        let common_name = names.first().map_or("goshawk-console", String::as_str);
        let params = leaf_params(
            common_name,
            names.to_vec(),
            ExtendedKeyUsagePurpose::ServerAuth,
            PORTAL_LIFETIME,
        )?;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .map_err(|error| failed("issue the portal's certificate", &error))?;
        write_private(&key_path, key.serialize_pem().as_bytes())?;
        write_private(&certificate_path, certificate.pem().as_bytes())?;
        self.certified(certificate.der().clone(), &key)
    }

    /// Signs a sensor's request. Of the request only the public key is taken: what a certificate
    /// says of its owner is ours to decide.
    ///
    /// # Errors
    /// If the request is not PKCS #10, its signature does not hold, or its key is of a kind that
    /// sensors do not make.
    pub fn sign_sensor(&self, sensor: &str, csr: &[u8]) -> Result<Issued, String> {
        let request = CertificateSigningRequestParams::from_der(&csr.into())
            .map_err(|error| format!("the certificate request cannot be used: {error}"))?;
        let allowed = [
            &rcgen::PKCS_ECDSA_P256_SHA256,
            &rcgen::PKCS_ECDSA_P384_SHA384,
            &rcgen::PKCS_ED25519,
        ];
        if !allowed.contains(&request.public_key.algorithm()) {
            return Err(
                "the certificate request's key must be ECDSA P-256, P-384 or Ed25519".into(),
            );
        }
        let sign = || {
            let params = leaf_params(
                sensor,
                Vec::new(),
                ExtendedKeyUsagePurpose::ClientAuth,
                LEAF_LIFETIME,
            )?;
            params
                .signed_by(&request.public_key, &self.issuer)
                .map_err(|error| failed("sign a sensor's certificate", &error))
        };
        let certificate = sign().map_err(|error| error.to_string())?.der().to_vec();
        Ok(Issued {
            fingerprint: secret::digest(&certificate),
            certificate,
            expires: clock::now() + LEAF_LIFETIME,
        })
    }

    /// A chain carries the authority too: a newcomer knows only its fingerprint.
    fn certified(&self, leaf: CertificateDer<'static>, key: &KeyPair) -> Result<CertifiedKey> {
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing = ring::sign::any_supported_type(&der)
            .map_err(|error| Error::Runtime(format!("a key of ours cannot sign: {error}")))?;
        Ok(CertifiedKey::new(
            vec![leaf, self.certificate.clone()],
            signing,
        ))
    }

    fn portal_still_good(
        &self,
        certificate: &CertificateDer<'_>,
        key: &KeyPair,
        names: &[String],
    ) -> bool {
        let (Ok((_, leaf)), Ok((_, ca))) = (
            X509Certificate::from_der(certificate),
            X509Certificate::from_der(&self.certificate),
        ) else {
            return false;
        };
        let carried = alternative_names(&leaf);
        let left = leaf.validity().not_after.timestamp() - now_seconds();
        leaf.public_key().raw == key.subject_public_key_info()
            && leaf.verify_signature(Some(ca.public_key())).is_ok()
            && names.iter().all(|name| carried.contains(name))
            && left > (PORTAL_LIFETIME.as_secs() / 3) as i64
    }
}

fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    use x509_parser::extensions::GeneralName;
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let name = |general: &GeneralName<'_>| match general {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes)
                .ok()
                .map(|bytes| std::net::IpAddr::from(bytes).to_string()),
            _ => <[u8; 16]>::try_from(*bytes)
                .ok()
                .map(|bytes| std::net::IpAddr::from(bytes).to_string()),
        },
        _ => None,
    };
    extension
        .value
        .general_names
        .iter()
        .filter_map(name)
        .collect()
}

fn ca_params() -> Result<CertificateParams> {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    // A part of its own for each console: two consoles' authorities must not look alike.
    let tag = secret::fingerprint_text(&secret::random()?[..4]).replace(':', "");
    name.push(DnType::CommonName, format!("Goshawk console CA {tag}"));
    params.distinguished_name = name;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = moment(clock::now() - BACKDATE).into();
    params.not_after = date_time_ymd(CA_LAST_YEAR, 1, 1);
    Ok(params)
}

fn leaf_params(
    common_name: &str,
    names: Vec<String>,
    usage: ExtendedKeyUsagePurpose,
    lifetime: Duration,
) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(names)
        .map_err(|error| Error::Configuration(format!("a name for a certificate: {error}")))?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    params.distinguished_name = name;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    // RFC 5280 4.1.2.2: a positive number of at most 20 bytes.
    let mut serial = secret::random()?[..16].to_vec();
    serial[0] = serial[0] & 0x7f | 0x40;
    params.serial_number = Some(SerialNumber::from(serial));
    params.not_before = moment(clock::now() - BACKDATE).into();
    params.not_after = moment(clock::now() + lifetime).into();
    Ok(params)
}

/// In terms that rcgen understands; a [`Timestamp`] ends in 2554, long before either does.
fn moment(at: Timestamp) -> std::time::SystemTime {
    std::time::UNIX_EPOCH + Duration::from_nanos(at.as_nanos())
}

fn now_seconds() -> i64 {
    (clock::now().as_nanos() / 1_000_000_000) as i64
}

fn new_key() -> Result<KeyPair> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
        .map_err(|error| failed("make a key", &error))
}

fn read_key(path: &Path) -> Result<KeyPair> {
    let pem = fs::read_to_string(path).map_err(|error| Error::io("read", path, &error))?;
    KeyPair::from_pem(&pem).map_err(|error| broken(path, &error.to_string()))
}

fn read_certificate(path: &Path) -> Result<CertificateDer<'static>> {
    let pem = fs::read(path).map_err(|error| Error::io("read", path, &error))?;
    CertificateDer::from_pem_slice(&pem).map_err(|error| broken(path, &error.to_string()))
}

fn failed(what: &str, error: &rcgen::Error) -> Error {
    Error::Runtime(format!("cannot {what}: {error}"))
}

fn broken(path: &Path, why: &str) -> Error {
    Error::Runtime(format!(
        "{} is damaged ({why}): restore it from a backup",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority() -> (tempfile::TempDir, DataDir, Authority) {
        let temp = tempfile::tempdir().unwrap();
        let data = DataDir::create(&temp.path().join("data")).unwrap();
        let authority = Authority::open(&data).unwrap();
        (temp, data, authority)
    }

    fn request(key: &KeyPair) -> Vec<u8> {
        let params = CertificateParams::new(vec!["console.goshawk".into()]).unwrap();
        params.serialize_request(key).unwrap().der().to_vec()
    }

    #[test]
    fn an_authority_outlives_the_process_and_differs_from_others() {
        let (_temp, data, first) = authority();
        assert_eq!(
            Authority::open(&data).unwrap().fingerprint(),
            first.fingerprint()
        );
        let (_other_temp, _, other) = authority();
        assert_ne!(other.fingerprint(), first.fingerprint());
    }

    #[test]
    fn a_key_that_is_not_the_authoritys_is_noticed() {
        let (_temp, data, _) = authority();
        write_private(
            &data.file("ca.key"),
            new_key().unwrap().serialize_pem().as_bytes(),
        )
        .unwrap();
        let error = Authority::open(&data).unwrap_err().to_string();
        assert!(error.contains("ca.pem is damaged"), "{error}");
        fs::remove_file(data.file("ca.key")).unwrap();
        let error = Authority::open(&data).unwrap_err().to_string();
        assert!(error.contains("ca.key"), "{error}");
    }

    #[test]
    fn a_sensors_certificate_says_what_we_decide() {
        let (_temp, _, authority) = authority();
        let key = new_key().unwrap();
        let issued = authority.sign_sensor("dc1", &request(&key)).unwrap();
        let (_, leaf) = X509Certificate::from_der(&issued.certificate).unwrap();
        assert_eq!(leaf.subject().to_string(), "CN=dc1");
        assert_eq!(alternative_names(&leaf), [""; 0]);
        assert!(!leaf.is_ca());
        let usage = leaf.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth);
        let validity = leaf.validity();
        let lifetime = validity.not_after.timestamp() - validity.not_before.timestamp();
        assert_eq!(lifetime, 91 * 86_400);
        assert!(validity.not_before.timestamp() <= now_seconds() - 86_400);
    }

    #[test]
    fn requests_that_do_not_hold_are_refused() {
        let (_temp, _, authority) = authority();
        let key = new_key().unwrap();
        let mut tampered = request(&key);
        let last = tampered.len() - 1;
        tampered[last] ^= 1;
        for csr in [&b"not a request"[..], &tampered, &[]] {
            assert!(authority.sign_sensor("dc1", csr).is_err());
        }
    }

    #[test]
    fn the_portals_certificate_stays_until_a_name_is_new() {
        let (_temp, data, authority) = authority();
        let leaf = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
            authority.portal_identity(&data, &names).unwrap().cert[0].clone()
        };
        let first = leaf(&["localhost", "127.0.0.1", "::1"]);
        assert_eq!(leaf(&["localhost", "127.0.0.1", "::1"]), first);
        assert_eq!(leaf(&["localhost"]), first);
        assert_ne!(leaf(&["localhost", "console.corp.example"]), first);
    }
}
