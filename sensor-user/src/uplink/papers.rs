//! What an enrolled sensor holds: its key and certificate, the console's CA, the console's address.
//!
//! They lie in `console/` in the state directory. Key and certificate share one file, so that a
//! renewal replaces both at a stroke; enrollment exchanges the whole directory.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use goshawk_model::Timestamp;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::files::{adopt, sync_parent, with_suffix, write_atomically, write_synced};
use super::tls::check_sensor_certificate;

/// The directory of the papers in the state directory.
const DIR: &str = "console";
/// Key and certificate of the sensor, PEM.
const SENSOR: &str = "sensor.pem";
/// The console's CA, PEM.
const CA: &str = "ca.pem";
/// `host:port` of the console.
const ADDRESS: &str = "address";

/// A certificate is renewed when this part of its life is over: 60 of 90 days.
const RENEW_AFTER: (u32, u32) = (2, 3);

/// The papers, read and parsed.
#[derive(Debug)]
pub(crate) struct Papers {
    /// The sensor's name, as its certificate has it.
    pub(crate) sensor: String,
    /// Where the console listens, `host:port`.
    pub(crate) address: String,
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) ca: CertificateDer<'static>,
    not_before: Timestamp,
    /// When the certificate runs out.
    pub(crate) not_after: Timestamp,
}

/// A new key and the request to certify it.
pub(crate) struct Request {
    key: KeyPair,
    /// PKCS #10, DER.
    pub(crate) csr: Vec<u8>,
}

/// Tells papers from those that replace them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(u64, i64, i64);

impl Papers {
    /// The papers in `state_dir`; `None` if the sensor is not enrolled.
    ///
    /// # Errors
    /// One line, if they are there and cannot be used.
    pub(crate) fn load(state_dir: &Path) -> Result<Option<Self>, String> {
        let dir = state_dir.join(DIR);
        if !dir.join(SENSOR).exists() {
            return Ok(None);
        }
        let read = |name| {
            let path = dir.join(name);
            fs::read(&path).map_err(|error| unusable(&path, &error.to_string()))
        };
        let (sensor_pem, ca_pem) = (read(SENSOR)?, read(CA)?);
        let address = String::from_utf8_lossy(&read(ADDRESS)?).trim().to_owned();
        let pem = |name| {
            move |error: rustls::pki_types::pem::Error| {
                unusable(&state_dir.join(DIR).join(name), &error.to_string())
            }
        };
        let key = PrivateKeyDer::from_pem_slice(&sensor_pem).map_err(pem(SENSOR))?;
        let certificate = CertificateDer::from_pem_slice(&sensor_pem).map_err(pem(SENSOR))?;
        let ca = CertificateDer::from_pem_slice(&ca_pem).map_err(pem(CA))?;
        let (sensor, not_before, not_after) = {
            let (_, leaf) = X509Certificate::from_der(&certificate)
                .map_err(|error| unusable(&dir.join(SENSOR), &error.to_string()))?;
            let name = leaf.subject().iter_common_name().next();
            (
                name.and_then(|name| name.as_str().ok())
                    .unwrap_or_default()
                    .to_owned(),
                seconds(leaf.validity().not_before.timestamp()),
                seconds(leaf.validity().not_after.timestamp()),
            )
        };
        Ok(Some(Self {
            sensor,
            address,
            certificate,
            key,
            ca,
            not_before,
            not_after,
        }))
    }

    /// What changes when the papers in `state_dir` do; `None` if the sensor is not enrolled.
    pub(crate) fn stamp(state_dir: &Path) -> Option<Stamp> {
        let found = fs::metadata(state_dir.join(DIR).join(SENSOR)).ok()?;
        Some(Stamp(found.ino(), found.mtime(), found.mtime_nsec()))
    }

    /// Whether it is time to ask for a new certificate.
    pub(crate) fn renewal_due(&self, now: Timestamp) -> bool {
        let (part, whole) = RENEW_AFTER;
        let life = self.not_after.since(self.not_before);
        now.since(self.not_before) >= life / whole * part
    }

    /// What is left of the certificate's life.
    pub(crate) fn remaining(&self, now: Timestamp) -> Duration {
        self.not_after.since(now)
    }

    /// Replaces key and certificate in `state_dir` by renewed ones.
    ///
    /// # Errors
    /// One line, if the certificate is not for the request's key or cannot be written.
    pub(crate) fn renew(
        state_dir: &Path,
        request: &Request,
        certificate: &[u8],
        ca: &CertificateDer<'_>,
    ) -> Result<(), String> {
        let path = state_dir.join(DIR).join(SENSOR);
        check_sensor_certificate(certificate, ca, UnixTime::now())
            .map_err(|error| format!("the console issued one that is not good: {error}"))?;
        let pem = request.answered(certificate)?;
        write_atomically(&path, pem.as_bytes()).map_err(|error| unusable(&path, &error.to_string()))
    }
}

impl Request {
    /// Makes a key (ECDSA P-256) and a request that names `sensor`.
    ///
    /// # Errors
    /// One line, if the system has no randomness or `sensor` cannot stand in a certificate.
    pub(crate) fn new(sensor: &str) -> Result<Self, String> {
        let make = || {
            let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, sensor);
            let csr = params.serialize_request(&key)?.der().to_vec();
            Ok(Self { key, csr })
        };
        make().map_err(|error: rcgen::Error| format!("a key cannot be made: {error}"))
    }

    /// Key and certificate as [`SENSOR`] holds them.
    fn answered(&self, certificate: &[u8]) -> Result<String, String> {
        let (_, leaf) = X509Certificate::from_der(certificate)
            .map_err(|error| format!("the console sent no X.509 certificate: {error}"))?;
        if leaf.public_key().raw != self.key.subject_public_key_info() {
            return Err("the console sent a certificate for another key".into());
        }
        Ok(self.key.serialize_pem() + &pem("CERTIFICATE", certificate))
    }
}

/// New papers in the making: a directory beside the one they will replace. Dropped before
/// [`install`](Self::install), it vanishes.
pub(crate) struct Draft {
    dir: PathBuf,
    target: PathBuf,
}

impl Draft {
    /// Makes the directory, so that a state directory which cannot be written is known before the
    /// token is spent.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn begin(state_dir: &Path) -> io::Result<Self> {
        let target = state_dir.join(DIR);
        let dir = with_suffix(&target, ".new");
        remove_all(&dir)?;
        fs::DirBuilder::new().mode(0o700).create(&dir)?;
        adopt(&dir)?;
        let draft = Self { dir, target };
        write_synced(&draft.dir.join(SENSOR), &[0; 4096])?;
        Ok(draft)
    }

    /// Puts the new papers in place of the old, if any, at a stroke.
    ///
    /// # Errors
    /// One line, if the certificate is not for the request's key or cannot be written.
    pub(crate) fn install(
        self,
        request: &Request,
        certificate: &[u8],
        ca: &[u8],
        address: &str,
    ) -> Result<(), String> {
        let sensor = request.answered(certificate)?;
        let write = || {
            write_synced(&self.dir.join(SENSOR), sensor.as_bytes())?;
            write_synced(&self.dir.join(CA), pem("CERTIFICATE", ca).as_bytes())?;
            write_synced(&self.dir.join(ADDRESS), format!("{address}\n").as_bytes())?;
            sync_parent(&self.dir.join(SENSOR))?;
            if self.target.exists() {
                let exchange = RenameFlags::RENAME_EXCHANGE;
                renameat2(AT_FDCWD, &self.dir, AT_FDCWD, &self.target, exchange)?;
            } else {
                fs::rename(&self.dir, &self.target)?;
            }
            sync_parent(&self.target)
        };
        write().map_err(|error: io::Error| unusable(&self.target, &error.to_string()))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After an exchange this is the old papers. What cannot be removed is, at the next draft.
        let _ = remove_all(&self.dir);
    }
}

fn remove_all(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn unusable(path: &Path, why: &str) -> String {
    format!(
        "{} cannot be used: {why}; if it stays so, enroll again with --force",
        path.display()
    )
}

fn seconds(unix: i64) -> Timestamp {
    Timestamp::from_parts(u64::try_from(unix).unwrap_or(0), 0)
}

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let mut text = format!("-----BEGIN {label}-----\n");
    // Base64 is ASCII: 64 bytes of it are 64 characters.
    let encoded = STANDARD.encode(der);
    for start in (0..encoded.len()).step_by(64) {
        text.push_str(&encoded[start..encoded.len().min(start + 64)]);
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}
