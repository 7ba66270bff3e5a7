//! The JSON objects that programs read, one a line (fixed contract).

use std::net::SocketAddr;

use goshawk_decode::Stats;
use goshawk_model::{
    Activity, ActivityId, Actor, Alert, Confidence, Credentials, Drops, Host, Kind, Outcome,
    Timestamp, Transport,
};
use serde::Serialize;

/// An alert as a line.
#[derive(Serialize)]
pub struct AlertLine<'a> {
    kind: &'static str,
    #[serde(flatten)]
    alert: &'a Alert,
}

impl<'a> From<&'a Alert> for AlertLine<'a> {
    fn from(alert: &'a Alert) -> Self {
        Self {
            kind: "alert",
            alert,
        }
    }
}

/// An activity as a line. What it was stands under `activity`, since `kind` tells lines apart.
#[derive(Serialize)]
pub struct ActivityLine<'a> {
    /// `activity`.
    kind: &'static str,
    /// The same in every run over the same packets.
    id: ActivityId,
    /// When the packet that completed it was captured.
    time: Timestamp,
    /// The sensor that saw it.
    sensor: &'a str,
    /// What it travelled on.
    transport: Transport,
    /// The side that asked.
    from: SocketAddr,
    /// The side that answered.
    to: SocketAddr,
    /// Who did it, where the wire tells.
    actor: Option<&'a Actor>,
    /// What the connection it was done on authenticated with.
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials: Option<&'a Credentials>,
    /// The machine that asked.
    client: &'a Host,
    /// The machine that was asked.
    server: &'a Host,
    /// How it ended.
    outcome: Outcome,
    /// How sure the decoder is of what it read.
    confidence: Confidence,
    /// What it was.
    activity: &'a Kind,
}

impl<'a> From<&'a Activity> for ActivityLine<'a> {
    fn from(activity: &'a Activity) -> Self {
        let Activity {
            id,
            time,
            sensor,
            flow,
            actor,
            credentials,
            client,
            server,
            outcome,
            confidence,
            kind,
        } = activity;
        Self {
            kind: "activity",
            id: *id,
            time: *time,
            sensor,
            transport: flow.transport,
            from: flow.client,
            to: flow.server,
            actor: actor.as_ref(),
            credentials: credentials.as_deref(),
            client,
            server,
            outcome: *outcome,
            confidence: *confidence,
            activity: kind,
        }
    }
}

/// What `--stats` says.
#[derive(Serialize)]
pub struct StatsLine {
    /// Packets read.
    pub packets: u64,
    /// Bytes captured in them.
    pub bytes: u64,
    /// How long it took, seconds of wall time.
    pub seconds: f64,
    /// What was lost or skipped, by reason.
    pub drops: Drops,
    /// Messages and errors by protocol.
    pub protocols: std::collections::BTreeMap<&'static str, ProtocolLine>,
}

/// What one protocol's decoder did.
#[derive(Serialize)]
pub struct ProtocolLine {
    /// Messages decoded.
    pub messages: u64,
    /// Messages that could not be.
    pub errors: u64,
    /// Messages that nobody but their ends can read: encrypted by the protocol itself or by TLS.
    pub sealed: u64,
}

impl StatsLine {
    /// From what the decoders counted, what the captures lost by name, and how long it took.
    pub fn new(stats: &Stats, losses: [(&'static str, u64); 2], seconds: f64) -> Self {
        let protocols = stats
            .protocols()
            .map(|(name, count)| {
                (
                    name,
                    ProtocolLine {
                        messages: count.messages,
                        errors: count.errors,
                        sealed: count.sealed,
                    },
                )
            })
            .collect();
        let drops = stats
            .drops()
            .chain(losses)
            .filter(|&(_, count)| count > 0)
            .map(|(name, count)| (name.to_owned(), count))
            .collect();
        Self {
            packets: stats.packets,
            bytes: stats.bytes,
            seconds,
            drops,
            protocols,
        }
    }
}
