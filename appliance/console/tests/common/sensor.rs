//! The least that speaks the sensor's side of the protocol.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use goshawk_console::secret;
use goshawk_model::frame::{
    ALPN, ALPN_ENROLL, Enroll, Enrolled, Frame, Hello, Item, Refused, SCHEMA, SERVER_NAME, Token,
    Welcome,
};
use goshawk_model::{Alert, Timestamp};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, Endpoint, RecvStream, SendStream};
use rcgen::{CertificateParams, KeyPair};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::time::timeout;

/// Nothing here takes so long; a test that waits longer has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What a sensor keeps of its enrollment.
pub struct Papers {
    pub name: String,
    pub certificate: Vec<u8>,
    pub ca: Vec<u8>,
    pub key: KeyPair,
}

/// A connection that delivers.
pub struct Link {
    pub connection: Connection,
    pub sending: SendStream,
    pub receiving: RecvStream,
    _endpoint: Endpoint,
}

/// Enrolls under `name`; what the console refuses comes back as it said it.
pub async fn enroll(token: &Token, name: &str) -> Result<Papers, Refused> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let csr = csr(&key);
    enroll_with(token, name, csr).await.map(|enrolled| Papers {
        name: enrolled.sensor,
        certificate: enrolled.certificate,
        ca: enrolled.ca,
        key,
    })
}

/// Enrolls with a request of one's own.
pub async fn enroll_with(token: &Token, name: &str, csr: Vec<u8>) -> Result<Enrolled, Refused> {
    let verifier = Arc::new(ByFingerprint(token.ca_fingerprint.clone()));
    let mut tls = tls_builder()
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    tls.alpn_protocols = vec![ALPN_ENROLL.to_vec()];
    let (_endpoint, connection) = dial(&token.address, tls).await.unwrap();
    let (mut sending, mut receiving) = connection.open_bi().await.unwrap();
    let enroll = Frame::Enroll(Enroll {
        sensor: name.into(),
        secret: token.secret.clone(),
        csr,
    });
    sending.write_all(&enroll.encode().unwrap()).await.unwrap();
    match read(&mut receiving).await.unwrap() {
        Frame::Enrolled(enrolled) => Ok(enrolled),
        Frame::Refused(refused) => Err(refused),
        other => panic!("an unexpected answer: {other:?}"),
    }
}

/// A request for a certificate.
pub fn csr(key: &KeyPair) -> Vec<u8> {
    let request = CertificateParams::default().serialize_request(key).unwrap();
    request.der().to_vec()
}

/// What a sound sensor says first.
pub fn hello(name: &str, spool: &str) -> Hello {
    Hello {
        sensor: name.into(),
        build: env!("CARGO_PKG_VERSION").into(),
        schema: SCHEMA,
        clock: goshawk_console::clock::now(),
        mode: "host".into(),
        spool: spool.into(),
    }
}

impl Link {
    /// Connects and says hello; a refusal comes back as it was said.
    pub async fn open(
        address: &str,
        papers: &Papers,
        hello: Hello,
    ) -> Result<(Self, Welcome), Refused> {
        let mut link = Self::dial(address, papers).await.unwrap();
        link.send(&Frame::Hello(hello)).await;
        match link.next().await.unwrap() {
            Frame::Welcome(welcome) => Ok((link, welcome)),
            Frame::Refused(refused) => Err(refused),
            other => panic!("an unexpected answer: {other:?}"),
        }
    }

    /// Connects and says nothing yet.
    pub async fn dial(address: &str, papers: &Papers) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        roots.add(papers.ca.clone().into()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(papers.key.serialize_der()));
        let mut tls = tls_builder()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![papers.certificate.clone().into()], key)
            .unwrap();
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let (endpoint, connection) = dial(address, tls).await?;
        let opened = connection.open_bi().await;
        let (sending, receiving) = opened.map_err(|error| error.to_string())?;
        Ok(Self {
            connection,
            sending,
            receiving,
            _endpoint: endpoint,
        })
    }

    pub async fn send(&mut self, frame: &Frame) {
        let bytes = frame.encode().unwrap();
        self.sending.write_all(&bytes).await.unwrap();
    }

    pub async fn item(&mut self, sequence: u64, alert: Alert) {
        let item = Box::new(Item { sequence, alert });
        self.send(&Frame::Item(item)).await;
    }

    /// The next frame, or how the connection ended.
    pub async fn next(&mut self) -> Result<Frame, String> {
        read(&mut self.receiving).await
    }

    /// Waits until everything up to `sequence` is acknowledged.
    pub async fn acknowledged(&mut self, sequence: u64) {
        loop {
            match self.next().await.unwrap() {
                Frame::Ack(ack) if ack.sequence >= sequence => {
                    assert_eq!(ack.sequence, sequence);
                    return;
                }
                Frame::Ack(_) => {}
                other => panic!("an unexpected frame: {other:?}"),
            }
        }
    }

    /// Waits for the refusal that ends the connection.
    pub async fn refusal(&mut self) -> Refused {
        loop {
            match self.next().await.unwrap() {
                Frame::Refused(refused) => return refused,
                Frame::Ack(_) => {}
                other => panic!("an unexpected frame: {other:?}"),
            }
        }
    }
}

/// Acknowledgements alone, for who sends elsewhere.
pub struct Acks(pub RecvStream);

impl Acks {
    /// The next acknowledged sequence.
    pub async fn next(&mut self) -> u64 {
        match read(&mut self.0).await.unwrap() {
            Frame::Ack(ack) => ack.sequence,
            other => panic!("an unexpected frame: {other:?}"),
        }
    }
}

/// A time, `seconds` from now.
pub fn shifted(seconds: i64) -> Timestamp {
    let by = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 {
        goshawk_console::clock::now() - by
    } else {
        goshawk_console::clock::now() + by
    }
}

fn tls_builder() -> rustls::ConfigBuilder<rustls::ClientConfig, rustls::WantsVerifier> {
    rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
}

async fn dial(address: &str, tls: rustls::ClientConfig) -> Result<(Endpoint, Connection), String> {
    let address: SocketAddr = address.parse().unwrap();
    let mut endpoint = Endpoint::client(([127, 0, 0, 1], 0).into()).unwrap();
    let crypto = QuicClientConfig::try_from(tls).unwrap();
    endpoint.set_default_client_config(ClientConfig::new(Arc::new(crypto)));
    let connecting = endpoint.connect(address, SERVER_NAME).unwrap();
    match timeout(PATIENCE, connecting).await.unwrap() {
        Ok(connection) => Ok((endpoint, connection)),
        Err(error) => Err(error.to_string()),
    }
}

async fn read(receiving: &mut RecvStream) -> Result<Frame, String> {
    let mut length = [0; 4];
    let frame = async {
        receiving
            .read_exact(&mut length)
            .await
            .map_err(|error| error.to_string())?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        receiving
            .read_exact(&mut body)
            .await
            .map_err(|error| error.to_string())?;
        Ok(Frame::decode(&body).unwrap().unwrap())
    };
    timeout(PATIENCE, frame).await.expect("an answer in time")
}

/// Trusts the chain whose authority has the token's fingerprint.
#[derive(Debug)]
struct ByFingerprint(Vec<u8>);

impl ByFingerprint {
    fn trusting(&self, chain: &[CertificateDer<'_>]) -> Option<Arc<WebPkiServerVerifier>> {
        let ca = chain.iter().find(|der| secret::digest(der)[..] == self.0)?;
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone().into_owned()).ok()?;
        let provider = Arc::new(ring::default_provider());
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .ok()
    }
}

impl ServerCertVerifier for ByFingerprint {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let unknown = rustls::CertificateError::UnknownIssuer.into();
        self.trusting(intermediates).ok_or(unknown).and_then(|v| {
            v.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        })
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.3 alone".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
