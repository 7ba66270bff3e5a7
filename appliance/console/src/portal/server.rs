//! The HTTPS listener: bounded connections, each step of each timed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::NoServerSessionStorage;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower_service::Service as _;
use tracing::{debug, warn};

use crate::ingest::bind_error;
use crate::pki::Identity;
use crate::{Error, Result};

/// Connections at once; further ones wait in the kernel's backlog.
const MAX_CONNECTIONS: usize = 512;
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a request's head may take, and a connection be idle.
const HEAD: Duration = Duration::from_secs(30);
/// How long a whole request may take, its body included.
const REQUEST: Duration = Duration::from_secs(30);
/// How long answers under way may take when the console stops.
const FAREWELL: Duration = Duration::from_secs(1);

/// The running portal.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Listens on `address`. Call within a tokio runtime.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn start(
        address: SocketAddr,
        identity: Arc<Identity>,
        router: Router,
    ) -> Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| bind_error("TCP", address, &error))?;
        let address = listener
            .local_addr()
            .map_err(|error| bind_error("TCP", address, &error))?;
        let acceptor = TlsAcceptor::from(Arc::new(tls(identity)?));
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(listener, acceptor, router, stopped));
        Ok(Self {
            address,
            stop,
            task,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets answers under way end, then closes every connection.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        // The task ends by itself in FAREWELL; a panic in it has been reported already.
        let _ = self.task.await;
    }
}

fn tls(identity: Arc<Identity>) -> Result<ServerConfig> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Runtime(format!("cannot set up TLS for the portal: {error}")))?
        .with_no_client_auth()
        .with_cert_resolver(identity);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let next = async {
            // The semaphore is never closed, so a place always comes.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            accepted = next => accepted,
            _ = stopped.changed() => break,
        };
        match accepted {
            Ok((stream, from)) => {
                let connection = serve(
                    stream,
                    from,
                    acceptor.clone(),
                    router.clone(),
                    graceful.watcher(),
                    place,
                );
                tokio::spawn(connection);
            }
            Err(error) => {
                // Out of descriptors, most likely: those in use must come back first.
                warn!("the portal cannot take a connection: {error}");
                sleep(Duration::from_millis(200)).await;
            }
        }
    }
    drop(listener);
    let _ = timeout(FAREWELL, graceful.shutdown()).await;
}

async fn serve(
    stream: TcpStream,
    from: SocketAddr,
    acceptor: TlsAcceptor,
    router: Router,
    watcher: hyper_util::server::graceful::Watcher,
    _place: Option<OwnedSemaphorePermit>,
) {
    let stream = match timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        // Browsers that meet our certificate for the first time break off here.
        Ok(Err(error)) => return debug!("a handshake with {from} failed: {error}"),
        Err(_) => return debug!("a handshake with {from} took too long"),
    };
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(from));
        let mut router = router.clone();
        async move {
            match timeout(REQUEST, router.call(request)).await {
                Ok(answer) => answer,
                Err(_) => Ok(super::page::too_slow()),
            }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        debug!("a connection with {from} ended: {error}");
    }
}
