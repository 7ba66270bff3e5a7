//! Sightings: which address is which computer, as the wire showed it.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// A computer was recognised at an address. How sure that is says the activity's confidence: high
/// if the computer proved it, medium if it or a server said so, low if anybody could have.
///
/// The same is told again after an hour at the earliest for each pair of addresses that shows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sighting {
    /// The address.
    pub ip: IpAddr,
    /// The computer's name, lower case, without its domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// Its DNS domain, or else the NetBIOS name of its domain, lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Box<str>>,
    /// Whether it acts as a domain controller, or is said to be one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub controller: bool,
    /// What showed it.
    pub source: SightingSource,
}

/// What shows which computer an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SightingSource {
    /// Its machine account proved its password to a KDC (RFC 4120 3.1).
    MachineLogon,
    /// It accepted a ticket made for a service of that computer (RFC 4120 3.2).
    ServiceTicket,
    /// It named itself among the addresses of a ticket request (RFC 4120 7.5.3).
    KerberosAddress,
    /// It issued a ticket.
    Kdc,
    /// It served directory replication ([MS-DRSR]).
    Replication,
    /// It named itself as a server in an NTLM CHALLENGE ([MS-NLMP] 2.2.2.1).
    NtlmServer,
    /// It named itself as a workstation in an NTLM AUTHENTICATE ([MS-NLMP] 2.2.1.3).
    NtlmWorkstation,
    /// It told its table of NetBIOS names (RFC 1002 4.2.18).
    NetbiosStatus,
    /// It registered a NetBIOS name as its own (RFC 1002 4.2.2).
    NetbiosRegistration,
    /// It sent a NetBIOS datagram, which names its sender (RFC 1002 4.4.1).
    NetbiosDatagram,
    /// It announced itself to a workgroup's browsers ([MS-BRWS] 2.2.1).
    BrowserAnnouncement,
    /// It answered a search for a domain controller ([MS-ADTS] 6.3.1).
    NetlogonAnswer,
    /// A DNS server gave its address (RFC 1035 3.4.1).
    DnsAddress,
    /// A DNS server gave its name (RFC 1035 3.5).
    DnsPointer,
    /// A DNS server named it as a service's host (RFC 2782).
    DnsService,
    /// It changed its own record in DNS (RFC 2136).
    DnsUpdate,
    /// A client connected to a share of a server of that name ([MS-SMB2] 2.2.9).
    SmbShare,
}

impl SightingSource {
    /// The name in texts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MachineLogon => "a machine account's logon",
            Self::ServiceTicket => "a service ticket accepted",
            Self::KerberosAddress => "a ticket request's addresses",
            Self::Kdc => "a ticket issued",
            Self::Replication => "replication served",
            Self::NtlmServer => "an NTLM challenge",
            Self::NtlmWorkstation => "an NTLM logon",
            Self::NetbiosStatus => "a NetBIOS name table",
            Self::NetbiosRegistration => "a NetBIOS registration",
            Self::NetbiosDatagram => "a NetBIOS datagram",
            Self::BrowserAnnouncement => "a browser announcement",
            Self::NetlogonAnswer => "a netlogon answer",
            Self::DnsAddress => "a DNS address",
            Self::DnsPointer => "a DNS pointer",
            Self::DnsService => "a DNS service record",
            Self::DnsUpdate => "a DNS update",
            Self::SmbShare => "a share's path",
        }
    }
}

impl fmt::Display for Sighting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is ", self.ip)?;
        match (&self.name, &self.domain) {
            (Some(name), Some(domain)) => write!(f, "{name} of {domain}")?,
            (Some(name), None) => f.write_str(name)?,
            (None, Some(domain)) => write!(f, "a machine of {domain}")?,
            (None, None) => f.write_str("a machine")?,
        }
        if self.controller {
            f.write_str(", a domain controller")?;
        }
        write!(f, ", by {}", self.source.name())
    }
}
