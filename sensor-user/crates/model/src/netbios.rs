//! NetBIOS over UDP as activities: names asked for, registered and told (RFC 1002 4.2), and
//! datagrams (RFC 1002 4.4) with what Windows sends in them ([MS-BRWS], [MS-ADTS] 6.3).

use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::ldap::NetlogonResponse;

/// A NetBIOS name (RFC 1001 14, 17).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetbiosName {
    /// Up to 15 characters, without padding, in the wire's case.
    pub name: Box<str>,
    /// The 16th: what kind of name it is ([`suffix_name`]).
    pub suffix: u8,
}

/// A request of the name service with its answer, or one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameExchange {
    /// `NAME_TRN_ID`; ties a broadcast question to the answers that others send to its asker.
    pub id: u16,
    /// `OPCODE`, and for queries the type of question.
    pub operation: NameOperation,
    /// The name it is about; `*` asks a node for its status.
    pub name: NetbiosName,
    /// `B`: it was sent to everybody.
    pub broadcast: bool,
    /// Whether the request was seen.
    pub asked: bool,
    /// The addresses that are registered, refreshed or released.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub registered: Vec<Ipv4Addr>,
    /// The answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<NameAnswer>,
}

/// What is asked of the name service (RFC 1002 4.2.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum NameOperation {
    /// Who has a name.
    Query,
    /// Which names a node has (RFC 1002 4.2.17).
    Status,
    /// A name is taken; also by a machine with several addresses.
    Registration,
    /// A name is given back.
    Release,
    /// A name is kept.
    Refresh,
    /// Another operation.
    Other,
}

/// An answer of the name service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameAnswer {
    /// `RCODE` (RFC 1002 4.2.6): 3 no such name, 6 it is taken, 7 it is in conflict.
    pub rcode: u8,
    /// Whether the name is a group's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub group: bool,
    /// Where the name is, at most 16 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Ipv4Addr>,
    /// The node's names, at most 32 of them (RFC 1002 4.2.18).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<NodeName>,
    /// The node's hardware address, `02:00:00:00:00:01`; Samba sends none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_id: Option<Box<str>>,
}

/// One of a node's names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeName {
    /// The name.
    pub name: NetbiosName,
    /// Whether it is a group's.
    pub group: bool,
}

/// A datagram of the datagram service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetbiosDatagram {
    /// `SOURCE_NAME`
    pub source: NetbiosName,
    /// `DESTINATION_NAME`
    pub destination: NetbiosName,
    /// The mailslot it is for ([MS-MAIL] 2.2.1), in the wire's case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailslot: Option<Box<str>>,
    /// What is in it, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MailslotMessage>,
}

/// What mailslots of a domain are used for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MailslotMessage {
    /// A computer, or a workgroup's master browser, announces itself ([MS-BRWS] 2.2.1, 2.2.10).
    Announcement {
        /// `ServerName`
        server: Box<str>,
        /// `OSVersionMajor` and `OSVersionMinor`.
        version: (u8, u8),
        /// `ServerType` ([`server_type`]).
        server_type: u32,
    },
    /// A domain controller is looked for: `NETLOGON_LOGON_QUERY` ([MS-ADTS] 6.3.1.4).
    LogonQuery {
        /// `ComputerName`: who asks.
        computer: Box<str>,
    },
    /// A domain controller is looked for that knows an account: `NETLOGON_SAM_LOGON_REQUEST`
    /// ([MS-ADTS] 6.3.1.5).
    SamLogonRequest {
        /// `UnicodeComputerName`: who asks.
        computer: Box<str>,
        /// `UnicodeUserName`: whom it must know; empty where anyone will do.
        user: Box<str>,
    },
    /// The primary domain controller answers: `NETLOGON_PRIMARY_RESPONSE` ([MS-ADTS] 6.3.1.6).
    PrimaryResponse {
        /// `UnicodePrimaryDCName`
        controller: Box<str>,
        /// `UnicodeDomainName`
        domain: Box<str>,
    },
    /// A domain controller answers ([MS-ADTS] 6.3.1.7 to 6.3.1.9).
    SamLogonResponse(Box<NetlogonResponse>),
}

/// Bits of `ServerType` that detections read ([MS-BRWS] 2.2.1, [MS-RAP] 2.5.5.2.1).
pub mod server_type {
    /// `SV_TYPE_DOMAIN_CTRL`: a primary domain controller.
    pub const DOMAIN_CTRL: u32 = 0x0000_0008;
    /// `SV_TYPE_DOMAIN_BAKCTRL`: another domain controller.
    pub const DOMAIN_BAKCTRL: u32 = 0x0000_0010;
}

/// What a name's suffix says of it ([MS-NBTE] 3.2, [MS-BRWS] 1.3).
pub fn suffix_name(suffix: u8) -> &'static str {
    match suffix {
        0x00 => "workstation or domain",
        0x03 => "messenger",
        0x1b => "domain master browser",
        0x1c => "domain controllers",
        0x1d => "master browser",
        0x1e => "browser elections",
        0x20 => "file server",
        _ => "other",
    }
}

impl fmt::Display for NetbiosName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}<{:02x}>", self.name, self.suffix)
    }
}

impl fmt::Display for NameExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operation = match self.operation {
            NameOperation::Query => "query",
            NameOperation::Status => "status",
            NameOperation::Registration => "registration",
            NameOperation::Release => "release",
            NameOperation::Refresh => "refresh",
            NameOperation::Other => "operation",
        };
        let kind = suffix_name(self.name.suffix);
        write!(f, "netbios {operation} of {} ({kind}): ", self.name)?;
        match &self.answer {
            Some(answer) if answer.rcode == 0 => f.write_str("answered"),
            Some(answer) => write!(f, "refused ({})", answer.rcode),
            None => f.write_str("no answer seen"),
        }
    }
}

impl fmt::Display for NetbiosDatagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "netbios datagram to {}", self.destination)?;
        match &self.message {
            Some(MailslotMessage::Announcement { server, .. }) => write!(f, ": {server} is here"),
            Some(MailslotMessage::LogonQuery { .. }) => f.write_str(": controller wanted"),
            Some(MailslotMessage::SamLogonRequest { user, .. }) if user.is_empty() => {
                f.write_str(": controller wanted")
            }
            Some(MailslotMessage::SamLogonRequest { user, .. }) => {
                write!(f, ": controller wanted that knows {user}")
            }
            Some(MailslotMessage::PrimaryResponse { controller, .. }) => {
                write!(f, ": {controller} is a controller")
            }
            Some(MailslotMessage::SamLogonResponse(response)) => {
                write!(f, ": {} is a controller", response.netbios_computer_name)
            }
            None => match &self.mailslot {
                Some(mailslot) => write!(f, ", {mailslot}"),
                None => Ok(()),
            },
        }
    }
}
