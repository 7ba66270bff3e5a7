//! What a connection authenticated with, whatever protocol carried it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::kerberos::Ticket;
use crate::{Account, Actor, Negotiation};

/// What a client has shown on a connection to prove who it is: the same words for SMB, LDAP,
/// DCE/RPC and HTTP, which all carry the same security tokens (RFC 2743, RFC 4178).
///
/// Nothing in here could be replayed or cracked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// How.
    pub mechanism: Mechanism,
    /// The service ticket presented; its owner is known from where it was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
    /// The account that the client named itself: in NTLM's AUTHENTICATE message ([MS-NLMP]
    /// 2.2.1.3), in a simple bind (RFC 4513 5.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// The workstation that NTLM's AUTHENTICATE message names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workstation: Option<Box<str>>,
    /// How client and server agreed on the mechanism; `None` without SPNEGO.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negotiation: Option<Negotiation>,
    /// Whether the server was convinced.
    pub proven: bool,
}

impl Credentials {
    /// Nothing shown yet.
    pub const fn new(mechanism: Mechanism) -> Self {
        Self {
            mechanism,
            ticket: None,
            account: None,
            workstation: None,
            negotiation: None,
            proven: false,
        }
    }

    /// Who acts with these credentials, as far as they name somebody themselves.
    pub fn actor(&self) -> Option<Actor> {
        let account = self.account.clone()?;
        Some(Actor {
            account,
            aliases: Vec::new(),
            authenticated: self.proven,
        })
    }
}

/// The ways to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Mechanism {
    /// A Kerberos ticket (RFC 4121).
    Kerberos,
    /// NTLM ([MS-NLMP]).
    Ntlm,
    /// A machine's secure channel ([MS-NRPC] 3.3).
    Netlogon,
    /// A name and a password in clear text: LDAP's simple bind, HTTP's Basic.
    Password,
    /// Nobody: an anonymous or null session.
    Anonymous,
    /// Negotiated, and which one was not seen (RFC 4178), or one that is not known here.
    Other,
}

/// The protocols that carry security tokens to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Carrier {
    /// In the authentication verifier of a bind ([MS-RPCE] 2.2.2.11).
    Dcerpc,
    /// Bare, on a port of Kerberos itself.
    Kerberos,
    /// In a session setup ([MS-SMB2] 2.2.5, [MS-SMB] 2.2.4.6).
    Smb,
    /// In a bind (RFC 4511 4.2, [MS-ADTS] 5.1.1.1).
    Ldap,
    /// In an `Authorization` header (RFC 4559).
    Http,
    /// In a TKEY record (RFC 3645).
    Dns,
}

impl Carrier {
    /// The name in texts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dcerpc => "dcerpc",
            Self::Kerberos => "kerberos",
            Self::Smb => "smb",
            Self::Ldap => "ldap",
            Self::Http => "http",
            Self::Dns => "dns",
        }
    }
}

/// With which status a carrier refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Status {
    /// An NTSTATUS ([MS-ERREF] 2.3), in SMB.
    Ntstatus(u32),
    /// An LDAP result code (RFC 4511 4.1.9).
    Ldap(u32),
    /// The status of a DCE/RPC fault ([C706] 12.6.4.7, [MS-ERREF] 2.2), or the reason of a bind_nak.
    Rpc(u32),
    /// An HTTP status code (RFC 9110 15).
    Http(u16),
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ntstatus(status) => write!(f, "NTSTATUS {status:#010x}"),
            Self::Ldap(code) => write!(f, "LDAP result {code}"),
            Self::Rpc(status) => write!(f, "RPC status {status:#010x}"),
            Self::Http(code) => write!(f, "HTTP {code}"),
        }
    }
}
