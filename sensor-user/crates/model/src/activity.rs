//! Activities: one thing somebody did, as the wire showed it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::dns::DnsExchange;
use crate::http::HttpLogon;
use crate::inventory::Sighting;
use crate::kerberos::{ApExchange, AsExchange, PasswordExchange, TgsExchange};
use crate::ldap::LdapOperation;
use crate::netbios::{NameExchange, NetbiosDatagram};
use crate::ntlm::NtlmLogon;
use crate::rpc::{BindRefused, EndpointMapped, RpcCall};
use crate::smb::SmbOperation;
use crate::sntp::SntpExchange;
use crate::{Account, Credentials, Digest, Timestamp};

/// One thing somebody did: a logon attempt, a ticket request, an RPC call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    /// The same in every run over the same packets.
    pub id: ActivityId,
    /// When the packet that completed it was captured.
    pub time: Timestamp,
    /// The sensor that saw it.
    pub sensor: Arc<str>,
    /// The connection it travelled on.
    pub flow: Flow,
    /// Who did it, where the wire tells.
    pub actor: Option<Actor>,
    /// What the connection it was done on authenticated with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Arc<Credentials>>,
    /// The machine that asked.
    pub client: Host,
    /// The machine that was asked.
    pub server: Host,
    /// How it ended.
    pub outcome: Outcome,
    /// How sure the decoder is of what it read.
    pub confidence: Confidence,
    /// What it was.
    pub kind: Kind,
}

/// The activity's identity.
pub type ActivityId = Digest;

/// What was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// Kerberos: a first ticket asked for.
    As(Box<AsExchange>),
    /// Kerberos: a further ticket asked for.
    Tgs(Box<TgsExchange>),
    /// Kerberos: a ticket presented to a service.
    Ap(ApExchange),
    /// NTLM: an authentication, whole or not.
    Ntlm(Box<NtlmLogon>),
    /// Kerberos: a password to be changed or set.
    Password(PasswordExchange),
    /// HTTP: a request that authenticates, or asks for what is worth an attack.
    Http(Box<HttpLogon>),
    /// DCE/RPC: a call.
    Rpc(Box<RpcCall>),
    /// DCE/RPC: a bind refused.
    Bind(BindRefused),
    /// DCE/RPC: the endpoint mapper told where an interface listens.
    Endpoint(EndpointMapped),
    /// LDAP: an operation.
    Ldap(Box<LdapOperation>),
    /// DNS, mDNS, LLMNR: a name looked up, a zone changed or transferred.
    Dns(Box<DnsExchange>),
    /// NetBIOS: a name asked for, registered or told.
    Netbios(Box<NameExchange>),
    /// NetBIOS: a datagram, often with a mailslot in it.
    Datagram(Box<NetbiosDatagram>),
    /// Time asked for, signed with an account's key.
    Sntp(SntpExchange),
    /// A computer was recognised at an address.
    Sighting(Sighting),
    /// SMB: a share, file or pipe used, or a session made for it.
    Smb(SmbOperation),
}

impl fmt::Display for Kind {
    /// What was done, in a few words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::As(exchange) => exchange.fmt(f),
            Self::Tgs(exchange) => exchange.fmt(f),
            Self::Ap(exchange) => exchange.fmt(f),
            Self::Ntlm(logon) => logon.fmt(f),
            Self::Password(exchange) => exchange.fmt(f),
            Self::Http(logon) => logon.fmt(f),
            Self::Rpc(call) => call.fmt(f),
            Self::Bind(refused) => refused.fmt(f),
            Self::Endpoint(mapped) => mapped.fmt(f),
            Self::Ldap(operation) => operation.fmt(f),
            Self::Dns(exchange) => exchange.fmt(f),
            Self::Netbios(exchange) => exchange.fmt(f),
            Self::Datagram(datagram) => datagram.fmt(f),
            Self::Sntp(exchange) => exchange.fmt(f),
            Self::Sighting(sighting) => sighting.fmt(f),
            Self::Smb(operation) => operation.fmt(f),
        }
    }
}

/// The connection an activity travelled on, seen from its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Flow {
    /// The layer-4 protocol.
    pub transport: Transport,
    /// The side that asks.
    pub client: SocketAddr,
    /// The side that answers.
    pub server: SocketAddr,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} > {}", self.transport, self.client, self.server)
    }
}

/// The layer-4 protocols that carry directory traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP, RFC 9293.
    Tcp,
    /// UDP, RFC 768.
    Udp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// The account behind an activity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Its normal form.
    pub account: Account,
    /// Other forms in which the wire named it, at most four.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<Box<str>>,
    /// Whether the server was convinced: a password attempt that failed is not the account acting.
    pub authenticated: bool,
}

/// A machine: its address, and its name where the wire told one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Host {
    /// The address.
    pub ip: IpAddr,
    /// The name, lower case, without its domain.
    #[serde(default)]
    pub name: Option<Box<str>>,
}

impl From<IpAddr> for Host {
    /// A machine whose name nothing told.
    fn from(ip: IpAddr) -> Self {
        Self { ip, name: None }
    }
}

/// How an activity ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The server did what was asked.
    Success,
    /// The server refused.
    Failure,
    /// The answer was not seen.
    Unknown,
}

/// How sure we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// A guess worth a look.
    Low,
    /// Likely.
    Medium,
    /// As good as certain.
    High,
}

/// A stretch of time in which activities may have been missed.
///
/// A finding from absence ("this ticket was never issued") needs a stretch without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// From here.
    pub from: Timestamp,
    /// To here.
    pub to: Timestamp,
    /// Why.
    pub reason: GapReason,
}

/// Why activities may have been missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapReason {
    /// Packets were lost before they could be read.
    Lost,
    /// The clock was set.
    ClockStep,
    /// The sensor was not running.
    Stopped,
    /// A bounded table forgot its oldest entries.
    Evicted,
}

/// A controller's traffic is seen from this moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The controller's address.
    pub controller: IpAddr,
    /// Since when.
    pub from: Timestamp,
}
