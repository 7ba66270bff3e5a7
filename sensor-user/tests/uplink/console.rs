//! A console for tests: the other side of the frames, with faults to order.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use goshawk_model::frame::{
    self, Ack, Enrolled, Frame, Hello, Item, Refused, Renewed, Token, Welcome,
};
use goshawk_model::{Digest, SensorHealth, Timestamp};
use quinn::crypto::rustls::{HandshakeData, QuicServerConfig};
use quinn::{Connection, Endpoint, RecvStream};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;

pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// What a console shows of itself.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) certificate: CertificateDer<'static>,
}

/// How the console behaves, changed while it runs.
#[derive(Default)]
pub(crate) struct Manners {
    /// Its clock is ahead by this.
    pub(crate) ahead: Duration,
    /// It refuses every sensor so.
    pub(crate) refuse: Option<Refused>,
    /// It breaks the connection after so many items, without acknowledging the last.
    pub(crate) break_after: Option<usize>,
    /// Certificates of sensors began so long ago.
    pub(crate) issue_aged: Duration,
    /// Secrets that it knows, each good once.
    pub(crate) secrets: Vec<Vec<u8>>,
}

/// What the console has seen.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) hellos: Vec<Hello>,
    /// Every item, in the order it came, repetitions included.
    pub(crate) items: Vec<Item>,
    pub(crate) kept: BTreeMap<Digest, u32>,
    pub(crate) acknowledged: BTreeMap<String, u64>,
    pub(crate) health: Vec<SensorHealth>,
    pub(crate) renewals: usize,
    /// The certificate that the latest connection showed.
    pub(crate) sensor_certificate: Vec<u8>,
}

#[derive(Default)]
struct Shared {
    manners: Mutex<Manners>,
    seen: Mutex<Seen>,
}

/// A running console. Dropped, it says goodbye and is gone.
pub(crate) struct TestConsole {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    endpoint: Endpoint,
    runtime: Runtime,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        let name = format!("CA {:?}", &key.serialize_der()[40..48]);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self {
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    pub(crate) fn fingerprint(&self) -> Vec<u8> {
        Sha256::digest(&self.certificate).to_vec()
    }

    /// A console's certificate for `name`, good from `since` ago until `until` ago or ahead.
    pub(crate) fn leaf(&self, name: &str, ran_out: bool) -> (CertificateDer<'static>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.into()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = (SystemTime::now() - 2 * DAY).into();
        params.not_after = if ran_out {
            (SystemTime::now() - DAY).into()
        } else {
            (SystemTime::now() + DAY).into()
        };
        let leaf = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        (leaf, key)
    }

    fn sign(&self, csr: &[u8], aged: Duration) -> Vec<u8> {
        let mut request = CertificateSigningRequestParams::from_der(&csr.into()).unwrap();
        let begin = SystemTime::now() - DAY - aged;
        request.params.not_before = begin.into();
        request.params.not_after = (begin + 91 * DAY).into();
        request.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        request.signed_by(&self.issuer).unwrap().der().to_vec()
    }
}

impl TestConsole {
    /// As a console should be.
    pub(crate) fn start(authority: &Arc<Authority>, at: Option<SocketAddr>) -> Self {
        let (leaf, key) = authority.leaf(frame::SERVER_NAME, false);
        let chain = vec![leaf, authority.certificate.clone()];
        Self::with_chain(authority, chain, &key, at)
    }

    /// With any chain of certificates.
    pub(crate) fn with_chain(
        authority: &Arc<Authority>,
        chain: Vec<CertificateDer<'static>>,
        key: &KeyPair,
        at: Option<SocketAddr>,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let shared = Arc::<Shared>::default();
        let config = server_config(authority, chain, key);
        let at = at.unwrap_or_else(|| ([127, 0, 0, 1], 0).into());
        let endpoint = runtime.block_on(async { Endpoint::server(config, at).unwrap() });
        let address = endpoint.local_addr().unwrap();
        runtime.spawn(accept(
            endpoint.clone(),
            Arc::clone(&shared),
            Arc::clone(authority),
        ));
        Self {
            address,
            shared,
            endpoint,
            runtime,
        }
    }

    pub(crate) fn manners(&self) -> MutexGuard<'_, Manners> {
        self.shared.manners.lock().unwrap()
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.shared.seen.lock().unwrap()
    }

    /// A token that is good once.
    pub(crate) fn token(&self, authority: &Authority, secret: &[u8]) -> String {
        self.manners().secrets.push(secret.to_vec());
        token(&self.address.to_string(), authority.fingerprint(), secret)
    }
}

impl Drop for TestConsole {
    fn drop(&mut self) {
        self.endpoint.close(0_u32.into(), b"the console ends");
        // Who does not hear it finds out by silence.
        let _ = self.runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(1), self.endpoint.wait_idle()).await
        });
    }
}

pub(crate) fn token(address: &str, ca_fingerprint: Vec<u8>, secret: &[u8]) -> String {
    let token = Token {
        address: address.to_owned(),
        ca_fingerprint,
        secret: secret.to_vec(),
    };
    let mut cbor = Vec::new();
    ciborium::into_writer(&token, &mut cbor).unwrap();
    format!("goshawk1.{}", URL_SAFE_NO_PAD.encode(cbor))
}

fn server_config(
    authority: &Authority,
    chain: Vec<CertificateDer<'static>>,
    key: &KeyPair,
) -> quinn::ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.clone()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()
            .unwrap();
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .unwrap();
    tls.alpn_protocols = vec![frame::ALPN.to_vec(), frame::ALPN_ENROLL.to_vec()];
    quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).unwrap()))
}

async fn accept(endpoint: Endpoint, shared: Arc<Shared>, authority: Arc<Authority>) {
    while let Some(incoming) = endpoint.accept().await {
        let (shared, authority) = (Arc::clone(&shared), Arc::clone(&authority));
        tokio::spawn(async move {
            let Ok(connection) = incoming.await else {
                return;
            };
            let data = connection.handshake_data().unwrap();
            let alpn = data.downcast::<HandshakeData>().unwrap().protocol.unwrap();
            if alpn == frame::ALPN_ENROLL {
                enroll(&connection, &shared, &authority).await;
            } else {
                ingest(&connection, &shared, &authority).await;
            }
        });
    }
}

async fn enroll(connection: &Connection, shared: &Shared, authority: &Authority) -> Option<()> {
    let (mut outgoing, mut incoming) = connection.accept_bi().await.ok()?;
    let Frame::Enroll(enroll) = read(&mut incoming).await? else {
        return None;
    };
    let answer = {
        let mut manners = shared.manners.lock().unwrap();
        let known = manners.secrets.iter().position(|one| *one == enroll.secret);
        match known {
            Some(index) => {
                manners.secrets.remove(index);
                Frame::Enrolled(Enrolled {
                    sensor: enroll.sensor,
                    certificate: authority.sign(&enroll.csr, manners.issue_aged),
                    ca: authority.certificate.to_vec(),
                })
            }
            None => Frame::Refused(Refused {
                reason: "this token was used already: make a new one".into(),
                permanent: true,
            }),
        }
    };
    outgoing.write_all(&answer.encode().unwrap()).await.ok()?;
    outgoing.finish().ok()?;
    connection.closed().await;
    Some(())
}

async fn ingest(connection: &Connection, shared: &Shared, authority: &Authority) -> Option<()> {
    let chain = connection.peer_identity()?;
    let chain = chain.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    shared.seen.lock().unwrap().sensor_certificate = chain[0].to_vec();
    let (mut outgoing, mut incoming) = connection.accept_bi().await.ok()?;
    let Frame::Hello(hello) = read(&mut incoming).await? else {
        return None;
    };
    let spool = hello.spool.clone();
    let (answer, refused) = {
        let manners = shared.manners.lock().unwrap();
        let mut seen = shared.seen.lock().unwrap();
        seen.hellos.push(hello);
        match &manners.refuse {
            Some(no) => (Frame::Refused(no.clone()), true),
            None => {
                let acknowledged = seen.acknowledged.get(&spool).copied().unwrap_or(0);
                let welcome = Welcome {
                    build: "test".into(),
                    clock: now() + manners.ahead,
                    acknowledged,
                };
                (Frame::Welcome(welcome), false)
            }
        }
    };
    outgoing.write_all(&answer.encode().unwrap()).await.ok()?;
    if refused {
        outgoing.finish().ok()?;
        connection.closed().await;
        return None;
    }
    let mut taken = 0;
    loop {
        let answer = match read(&mut incoming).await? {
            Frame::Item(item) => {
                taken += 1;
                let sequence = item.sequence;
                let break_after = shared.manners.lock().unwrap().break_after;
                let mut seen = shared.seen.lock().unwrap();
                let revision = item.alert.revision;
                let kept = seen.kept.entry(item.alert.id).or_default();
                *kept = revision.max(*kept);
                seen.items.push(*item);
                if break_after.is_some_and(|after| taken >= after) {
                    connection.close(1_u32.into(), b"by order");
                    return None;
                }
                seen.acknowledged.insert(spool.clone(), sequence);
                Some(Frame::Ack(Ack { sequence }))
            }
            Frame::Health(health) => {
                shared.seen.lock().unwrap().health.push(*health);
                None
            }
            Frame::Renew(renew) => {
                shared.seen.lock().unwrap().renewals += 1;
                Some(Frame::Renewed(Renewed {
                    certificate: authority.sign(&renew.csr, Duration::ZERO),
                }))
            }
            _ => None,
        };
        if let Some(answer) = answer {
            outgoing.write_all(&answer.encode().unwrap()).await.ok()?;
        }
    }
}

async fn read(stream: &mut RecvStream) -> Option<Frame> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await.ok()?;
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut body).await.ok()?;
    Frame::decode(&body).unwrap()
}

fn now() -> Timestamp {
    Timestamp::ZERO + SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}
