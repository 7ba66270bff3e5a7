//! Who the sensor takes for its console: TLS 1.3, one CA, one name, no resumption, no 0-RTT.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use goshawk_model::frame;
use quinn::crypto::rustls::QuicClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, PeerIncompatible, RootCertStore,
    SignatureScheme,
};
use sha2::{Digest, Sha256};

use super::papers::Papers;

/// A packet at least this often, so that middleboxes keep the way open.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// A console silent for this long (milliseconds) is gone.
const IDLE_TIMEOUT_MS: u32 = 30_000;

/// The one CA that may vouch for the console.
#[derive(Clone, Debug)]
pub(crate) enum Trust {
    /// Its certificate, known since enrollment.
    Authority(CertificateDer<'static>),
    /// SHA-256 of its certificate, from the token; the console's chain brings the certificate.
    Fingerprint([u8; 32]),
}

/// Why the console's certificate was not believed, once it was looked at. The connection's error
/// only has it as text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict(Arc<Mutex<Option<Error>>>);

impl Verdict {
    /// What was wrong with the certificate.
    pub(crate) fn error(&self) -> Option<Error> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn keep(&self, error: &Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
    }
}

/// A configuration for one connection that speaks `alpn`, as the owner of `papers` if given.
///
/// # Errors
/// If key and certificate do not go together.
pub(crate) fn client_config(
    trust: Trust,
    papers: Option<&Papers>,
    alpn: &[u8],
) -> Result<(quinn::ClientConfig, Verdict), Error> {
    let provider = Arc::new(ring::default_provider());
    let verdict = Verdict::default();
    let verifier = ConsoleVerifier {
        trust,
        provider: Arc::clone(&provider),
        verdict: verdict.clone(),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut tls = match papers {
        Some(papers) => builder
            .with_client_auth_cert(vec![papers.certificate.clone()], papers.key.clone_key())?,
        None => builder.with_no_client_auth(),
    };
    tls.alpn_protocols = vec![alpn.to_vec()];
    tls.resumption = Resumption::disabled();
    let quic =
        QuicClientConfig::try_from(tls).map_err(|error| Error::General(error.to_string()))?;
    let mut config = quinn::ClientConfig::new(Arc::new(quic));
    let mut transport = quinn::TransportConfig::default();
    transport
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(Some(quinn::VarInt::from_u32(IDLE_TIMEOUT_MS).into()));
    config.transport_config(Arc::new(transport));
    Ok((config, verdict))
}

/// Checks that `ca` vouches for a sensor's `certificate` at `now`.
///
/// # Errors
/// Why it does not.
pub(crate) fn check_sensor_certificate(
    certificate: &[u8],
    ca: &[u8],
    now: UnixTime,
) -> Result<(), Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots(ca.to_vec().into())?, provider)
            .build()
            .map_err(|error| Error::General(error.to_string()))?;
    verifier
        .verify_client_cert(&certificate.into(), &[], now)
        .map(drop)
}

/// SHA-256 of a certificate.
pub(crate) fn fingerprint(certificate: &[u8]) -> [u8; 32] {
    Sha256::digest(certificate).into()
}

#[derive(Debug)]
struct ConsoleVerifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
    verdict: Verdict,
}

impl ConsoleVerifier {
    /// The trusted CA's certificate, if the chain allows to know it.
    fn authority(&self, chain: &[CertificateDer<'_>]) -> Option<CertificateDer<'static>> {
        match &self.trust {
            Trust::Authority(ca) => Some(ca.clone()),
            Trust::Fingerprint(expected) => chain
                .iter()
                .find(|certificate| fingerprint(certificate) == *expected)
                .map(|certificate| certificate.clone().into_owned()),
        }
    }
}

impl ServerCertVerifier for ConsoleVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verify = || {
            let ca = self
                .authority(intermediates)
                .ok_or(CertificateError::UnknownIssuer)?;
            WebPkiServerVerifier::builder_with_provider(roots(ca)?, Arc::clone(&self.provider))
                .build()
                .map_err(|error| Error::General(error.to_string()))?
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        verify().inspect_err(|error| self.verdict.keep(error))
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // QUIC is TLS 1.3 (RFC 9001 section 4.2).
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn roots(ca: CertificateDer<'static>) -> Result<Arc<RootCertStore>, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(ca)?;
    Ok(Arc::new(roots))
}

/// The name under which every console is asked for.
pub(crate) const CONSOLE: &str = frame::SERVER_NAME;
