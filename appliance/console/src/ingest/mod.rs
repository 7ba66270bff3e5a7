//! Where sensors report: QUIC on one UDP port.
//!
//! A connection says by its ALPN what it wants. With [`frame::ALPN`] it must show a certificate
//! of ours, which is checked against the store, and then delivers alerts and health
//! ([`delivery`]); with [`frame::ALPN_ENROLL`] it has none yet and brings a token ([`newcomer`]).
//!
//! Bounds: [`MAX_CONNECTIONS`] at once; a handshake, a first frame and silence are each timed;
//! small receive windows keep a sensor's unread bytes on the sensor; addresses that fail to
//! enroll wait longer and longer.

mod bounds;
mod compatibility;
mod delivery;
mod live;
mod newcomer;
mod tls;
mod wire;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use goshawk_model::frame;
use quinn::{Connection, Endpoint, EndpointConfig, Incoming, TokioRuntime, VarInt};
use ring::hmac;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{debug, warn};

use crate::clock;
use crate::limit::{Seldom, Throttle};
use crate::pki::{Authority, Identity};
use crate::store::{Store, sensors};
use crate::{Error, Result};
use live::{Eviction, Live};

/// Connections at once, newcomers included.
pub const MAX_CONNECTIONS: usize = 1024;
/// Above this many connections a stranger must first show that its address is its own.
const ADDRESS_CHECK_ABOVE: usize = 64;
/// How long a handshake may take, and the first frame after it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often revocations by the command line are looked for.
const REVOCATION_POLL: Duration = Duration::from_secs(1);
/// Every so many of those, the store is told who is still here.
const POLLS_PER_SIGN_OF_LIFE: u32 = 15;
/// How long a stopping console waits for commits under way and last words.
const FAREWELL: Duration = Duration::from_millis(1500);

/// Why a connection was closed, as its peer's QUIC sees it.
#[derive(Clone, Copy, Debug)]
enum Close {
    /// Nothing is wrong: everything was said, or the console stops.
    Done = 0,
    /// A refusal was sent.
    Refused = 1,
    /// The peer broke the protocol.
    Protocol = 2,
}

/// The running ingest.
#[derive(Debug)]
pub struct Ingest {
    endpoint: Endpoint,
    shared: Arc<Shared>,
}

/// What every connection works with.
struct Shared {
    store: Store,
    authority: Arc<Authority>,
    live: Live,
    enrollments: Mutex<Throttle<IpAddr>>,
    /// Strangers that came to nothing: anybody can cause these lines.
    strangers: Mutex<Seldom>,
    /// Whether the store refuses to keep things, so that it is said once and not per batch.
    store_refuses: AtomicBool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("live", &self.live)
            .finish_non_exhaustive()
    }
}

impl Ingest {
    /// Listens on `address`. Call within a tokio runtime.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub fn start(
        address: SocketAddr,
        authority: Arc<Authority>,
        identity: Arc<Identity>,
        store: Store,
    ) -> Result<Self> {
        let config = tls::server_config(&authority, identity)?;
        let reset = hmac::Key::new(hmac::HMAC_SHA256, &authority.reset_secret());
        let endpoint = UdpSocket::bind(address)
            .and_then(|socket| {
                let ours = EndpointConfig::new(Arc::new(reset));
                Endpoint::new(ours, Some(config), socket, Arc::new(TokioRuntime))
            })
            .map_err(|error| bind_error("UDP", address, &error))?;
        let shared = Arc::new(Shared {
            store,
            authority,
            live: Live::default(),
            enrollments: Mutex::new(Throttle::new(
                5,
                Duration::from_secs(2),
                Duration::from_secs(300),
            )),
            strangers: Mutex::new(Seldom::default()),
            store_refuses: AtomicBool::new(false),
        });
        tokio::spawn(accept(endpoint.clone(), Arc::clone(&shared)));
        tokio::spawn(watch(Arc::downgrade(&shared)));
        Ok(Self { endpoint, shared })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the socket is gone.
    pub fn local_address(&self) -> Result<SocketAddr> {
        self.endpoint
            .local_addr()
            .map_err(|error| Error::Runtime(format!("the sensors' socket: {error}")))
    }

    /// How many sensors are connected.
    pub fn connected(&self) -> usize {
        self.shared.live.count()
    }

    /// Lets commits under way end and be acknowledged, then closes every connection.
    pub async fn stop(&self) {
        self.endpoint.set_server_config(None);
        self.shared.live.evict_all();
        // What is not done by then is in no store and acknowledged to nobody: it comes again.
        let _ = timeout(FAREWELL, self.shared.live.empty()).await;
        close(&self.endpoint, Close::Done, "the console stops");
        let _ = timeout(Duration::from_millis(200), self.endpoint.wait_idle()).await;
    }
}

impl Shared {
    /// Logs what a stranger caused, unless it was a moment ago.
    fn complain(&self, line: &str) {
        let said = self
            .strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .say(Instant::now());
        match said {
            Some(0) => warn!("{line}"),
            Some(more) => warn!("{line} (and {more} more like it)"),
            None => debug!("{line}"),
        }
    }
}

/// A listener's failure in words, with the exit status that fits.
pub(crate) fn bind_error(what: &str, address: SocketAddr, error: &std::io::Error) -> Error {
    let line = format!("cannot listen on {what} {address}: {error}");
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => Error::Privilege(line),
        std::io::ErrorKind::AddrInUse => Error::Runtime(format!(
            "{line}; is another console running? Choose another port"
        )),
        _ => Error::Runtime(line),
    }
}

async fn accept(endpoint: Endpoint, shared: Arc<Shared>) {
    while let Some(incoming) = endpoint.accept().await {
        let open = endpoint.open_connections();
        if open >= MAX_CONNECTIONS {
            shared.complain(&format!("refused a connection: {open} are open, the limit"));
            incoming.refuse();
        } else if open >= ADDRESS_CHECK_ABOVE && !incoming.remote_address_validated() {
            // An address that cannot answer a retry is forged, and gets no state here.
            if let Err(error) = incoming.retry() {
                error.into_incoming().refuse();
            }
        } else {
            tokio::spawn(serve(incoming, Arc::clone(&shared)));
        }
    }
}

async fn serve(incoming: Incoming, shared: Arc<Shared>) {
    let from = incoming.remote_address();
    let connection = match timeout(PATIENCE, async { incoming.accept()?.await }).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => {
            return shared.complain(&format!(
                "a connection from {from} came to nothing: {error}"
            ));
        }
        Err(_) => return shared.complain(&format!("a handshake from {from} took too long")),
    };
    let protocol = connection
        .handshake_data()
        .and_then(|data| data.downcast::<quinn::crypto::rustls::HandshakeData>().ok())
        .and_then(|data| data.protocol);
    match protocol.as_deref() {
        Some(frame::ALPN) => delivery::serve(&shared, &connection).await,
        Some(frame::ALPN_ENROLL) => newcomer::serve(&shared, &connection).await,
        // The handshake takes no other, so this is for completeness of the match.
        _ => close_connection(&connection, Close::Protocol, "unknown protocol"),
    }
}

/// Looks for revocations, and tells the store who is still here.
async fn watch(shared: std::sync::Weak<Shared>) {
    let mut tick = interval(REVOCATION_POLL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for count in 0_u32.. {
        tick.tick().await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        match shared.store.read(sensors::revoked_but_connected).await {
            Ok(names) => names
                .iter()
                .for_each(|name| shared.live.evict(name, Eviction::Revoked)),
            Err(error) => warn!("cannot look for revoked sensors: {error}"),
        }
        if count % POLLS_PER_SIGN_OF_LIFE == 0 {
            let names = shared.live.names();
            let noted = shared
                .store
                .write(move |tx| sensors::still_here(tx, &names, clock::now()))
                .await;
            if let Err(error) = noted {
                debug!("cannot note who is connected: {error}");
            }
        }
    }
}

fn close(endpoint: &Endpoint, code: Close, reason: &str) {
    endpoint.close(VarInt::from_u32(code as u32), reason.as_bytes());
}

fn close_connection(connection: &Connection, code: Close, reason: &str) {
    connection.close(VarInt::from_u32(code as u32), reason.as_bytes());
}
