//! From `host:port` to a QUIC connection.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use quinn::{Connection, Endpoint};

use super::papers::Papers;
use super::tls::{CONSOLE, Trust, client_config};
use super::trouble::{Trouble, TroubleKind};

/// How long one address has to complete the handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Addresses of a name that are tried.
const MAX_ADDRESSES: usize = 4;
/// How long the goodbye may take to leave this machine.
const GOODBYE: Duration = Duration::from_millis(300);

/// A connection and the socket under it.
pub(crate) struct Line {
    endpoint: Endpoint,
    pub(crate) connection: Connection,
}

impl Line {
    /// Connects to the console at `address` (`host:port`), trying the name's addresses in turn.
    pub(crate) async fn open(
        address: &str,
        trust: Trust,
        papers: Option<&Papers>,
        alpn: &[u8],
    ) -> Result<Self, Trouble> {
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host(address)
            .await
            .map_err(|error| Trouble::unknown_host(address, &error.to_string()))?
            .take(MAX_ADDRESSES)
            .collect();
        let mut trouble = Trouble::unknown_host(address, "it has no address");
        for target in addresses {
            match dial(address, target, trust.clone(), papers, alpn).await {
                Ok(line) => return Ok(line),
                Err(error) => trouble = error,
            }
        }
        Err(trouble)
    }

    /// Says goodbye and waits until it has left.
    pub(crate) async fn close(self, reason: &str) {
        self.connection.close(0_u32.into(), reason.as_bytes());
        // A goodbye that does not arrive is an idle timeout at the console.
        let _ = tokio::time::timeout(GOODBYE, self.endpoint.wait_idle()).await;
    }
}

async fn dial(
    address: &str,
    target: SocketAddr,
    trust: Trust,
    papers: Option<&Papers>,
    alpn: &[u8],
) -> Result<Line, Trouble> {
    let local = |why: String| Trouble::passing(TroubleKind::Local, why);
    let (config, verdict) = client_config(trust, papers, alpn).map_err(|error| {
        local(format!(
            "this sensor's key or certificate is not good: {error}"
        ))
    })?;
    let from: SocketAddr = if target.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let endpoint = Endpoint::client(from)
        .map_err(|error| local(format!("no UDP socket for the console: {error}")))?;
    let connecting = endpoint
        .connect_with(config, target, CONSOLE)
        .map_err(|error| {
            local(format!(
                "the console's address {address} is not good: {error}"
            ))
        })?;
    match tokio::time::timeout(HANDSHAKE, connecting).await {
        Ok(Ok(connection)) => Ok(Line {
            endpoint,
            connection,
        }),
        Ok(Err(error)) => Err(Trouble::connecting(address, &error, &verdict)),
        Err(_) => Err(Trouble::unreachable(address)),
    }
}
