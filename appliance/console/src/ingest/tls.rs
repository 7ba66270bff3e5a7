//! TLS and QUIC settings of the ingest.

use std::sync::Arc;
use std::time::Duration;

use goshawk_model::frame;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{IdleTimeout, ServerConfig, TransportConfig, VarInt};
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};

use crate::pki::{Authority, Identity};
use crate::{Error, Result};

/// Silence after which a peer counts as gone.
const IDLE: Duration = Duration::from_secs(30);
/// How often a silent connection is probed; well below [`IDLE`].
const KEEP_ALIVE: Duration = Duration::from_secs(8);
/// Unread bytes that one connection may have with us.
const RECEIVE_WINDOW: u32 = 256 * 1024;

/// TLS 1.3 alone, with the clients' certificates from our authority alone. A client may come
/// without one, since newcomers have none; who wants to deliver without one is turned away after
/// the handshake. No resumption and no early data: each connection is checked against the store.
pub(super) fn server_config(
    authority: &Authority,
    identity: Arc<Identity>,
) -> Result<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots
        .add(authority.certificate().clone())
        .map_err(|error| cannot(&error))?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()
            .map_err(|error| cannot(&error))?;
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| cannot(&error))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(identity);
    tls.alpn_protocols = vec![frame::ALPN.to_vec(), frame::ALPN_ENROLL.to_vec()];
    tls.session_storage = Arc::new(NoServerSessionStorage {});
    tls.send_tls13_tickets = 0;
    tls.max_early_data_size = 0;
    let crypto = QuicServerConfig::try_from(tls).map_err(|error| cannot(&error))?;

    let mut transport = TransportConfig::default();
    let idle = IdleTimeout::try_from(IDLE).map_err(|error| cannot(&error))?;
    transport
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW));
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(Arc::new(transport));
    Ok(config)
}

fn cannot(error: &dyn std::fmt::Display) -> Error {
    Error::Runtime(format!("cannot set up TLS for sensors: {error}"))
}
