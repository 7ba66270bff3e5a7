//! DNS exchanges as activities (RFC 1035), and those of its relatives mDNS (RFC 6762) and LLMNR
//! (RFC 4795), which speak the same format.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Record types that detections name (the registry of RFC 6895 3.1).
pub mod rtype {
    /// An IPv4 address.
    pub const A: u16 = 1;
    /// A name server.
    pub const NS: u16 = 2;
    /// An alias.
    pub const CNAME: u16 = 5;
    /// Where a zone's authority starts.
    pub const SOA: u16 = 6;
    /// Raw bytes; used by tunnels (RFC 1035 3.3.10).
    pub const NULL: u16 = 10;
    /// The name of an address.
    pub const PTR: u16 = 12;
    /// A mail exchange.
    pub const MX: u16 = 15;
    /// Text.
    pub const TXT: u16 = 16;
    /// A signature of RFC 2535, long obsolete; CVE-2020-1350 needs a huge one.
    pub const SIG: u16 = 24;
    /// An IPv6 address (RFC 3596).
    pub const AAAA: u16 = 28;
    /// Where a service is (RFC 2782).
    pub const SRV: u16 = 33;
    /// A subtree's alias (RFC 6672).
    pub const DNAME: u16 = 39;
    /// EDNS options (RFC 6891).
    pub const OPT: u16 = 41;
    /// A signature (RFC 4034).
    pub const RRSIG: u16 = 46;
    /// A key agreed on (RFC 2930).
    pub const TKEY: u16 = 249;
    /// A message's signature (RFC 8945).
    pub const TSIG: u16 = 250;
    /// An incremental zone transfer (RFC 1995).
    pub const IXFR: u16 = 251;
    /// A zone transfer (RFC 5936).
    pub const AXFR: u16 = 252;
    /// Everything.
    pub const ANY: u16 = 255;
}

/// Operation codes (RFC 6895 2.2).
pub mod opcode {
    /// A question.
    pub const QUERY: u8 = 0;
    /// A zone has changed (RFC 1996).
    pub const NOTIFY: u8 = 4;
    /// A zone is to be changed (RFC 2136).
    pub const UPDATE: u8 = 5;
}

/// A question, a dynamic update or a zone transfer, with its answer where one was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsExchange {
    /// Which of the protocols that share the format.
    pub service: DnsService,
    /// `ID`; ties a multicast question to the answers that others send to its asker.
    pub id: u16,
    /// `OPCODE` ([`opcode`]).
    pub opcode: u8,
    /// `RD`: the client asks a resolver, not a zone's own server.
    pub recursion_desired: bool,
    /// `QNAME`, lower case, without the last dot; `ZNAME` of an update. In an answer without its
    /// question, the name that it is about.
    pub qname: Box<str>,
    /// `QTYPE` ([`rtype`]).
    pub qtype: u16,
    /// `QCLASS`, without mDNS's topmost bit (RFC 6762 18.12).
    pub qclass: u16,
    /// Length of the question's message, bytes; `None` when only the answer was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_bytes: Option<u32>,
    /// What an update asks to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<DnsUpdate>,
    /// The name of the key that signs the request (RFC 8945); what it was agreed on with is in
    /// the activity's credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tsig: Option<Box<str>>,
    /// The answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<DnsAnswer>,
}

/// The protocols that share DNS's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DnsService {
    /// DNS itself.
    Dns,
    /// Multicast DNS, RFC 6762.
    Mdns,
    /// Link-local multicast name resolution, RFC 4795.
    Llmnr,
}

/// An answer; of a zone transfer, all its messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsAnswer {
    /// `RCODE`, with EDNS's upper bits (RFC 6891 6.1.3).
    pub rcode: u16,
    /// `AA`: the server answers for a zone of its own.
    pub authoritative: bool,
    /// `TC`: there is more, over TCP.
    pub truncated: bool,
    /// Messages; more than one in a zone transfer.
    pub messages: u32,
    /// Their length, bytes.
    pub bytes: u64,
    /// Records in the answer sections.
    pub total: u32,
    /// The first 16 of them; behind those that say where a service is, the addresses that the
    /// additional section gives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<DnsRecord>,
    /// The longest record of the answer sections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest: Option<LongestRecord>,
}

/// One resource record (RFC 1035 3.2.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsRecord {
    /// `NAME`, where it is not the one asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// `TYPE` ([`rtype`]).
    pub rtype: u16,
    /// `RDLENGTH`, bytes.
    pub length: u16,
    /// `RDATA`.
    pub data: DnsData,
}

/// What a record says, as far as anybody reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DnsData {
    /// Of A and AAAA.
    Address(IpAddr),
    /// Of CNAME, DNAME, PTR and NS, and the exchange of MX.
    Name(Box<str>),
    /// Of SRV (RFC 2782).
    Service {
        /// Where the service is.
        target: Box<str>,
        /// On which port.
        port: u16,
    },
    /// Of TXT, at most 255 bytes of it.
    Text(Box<str>),
    /// Of every other type, and what could not be read.
    Other,
}

/// The size of an answer's longest record: CVE-2020-1350 sends a SIG record of nearly 64 KiB whose
/// signer's name is compressed, so that it grows beyond that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LongestRecord {
    /// Its `TYPE` ([`rtype`]).
    pub rtype: u16,
    /// Its `RDLENGTH`, bytes.
    pub length: u16,
    /// Whether it is a signature whose signer's name is compressed, which RFC 3597 4 forbids.
    pub compressed_signer: bool,
}

/// A dynamic update (RFC 2136).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsUpdate {
    /// Records in the prerequisite section.
    pub prerequisites: u16,
    /// Records in the update section.
    pub total: u16,
    /// The first 16 of them.
    pub changes: Vec<DnsChange>,
}

/// One change (RFC 2136 2.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsChange {
    /// What is done.
    pub action: DnsAction,
    /// To which name, lower case, without the last dot.
    pub name: Box<str>,
    /// `TYPE`; [`rtype::ANY`] where a whole name is deleted.
    pub rtype: u16,
    /// The record added or deleted.
    pub data: DnsData,
}

/// The ways to change a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DnsAction {
    /// A record is added (2.5.1).
    Add,
    /// All records of a type are deleted (2.5.2).
    DeleteSet,
    /// A name is deleted with everything it has (2.5.3).
    DeleteName,
    /// One record is deleted (2.5.4).
    DeleteRecord,
}

/// The name of a record type, `AXFR`; `None` for those that nobody asks about.
pub fn rtype_name(rtype: u16) -> Option<&'static str> {
    Some(match rtype {
        rtype::A => "A",
        rtype::NS => "NS",
        rtype::CNAME => "CNAME",
        rtype::SOA => "SOA",
        rtype::NULL => "NULL",
        rtype::PTR => "PTR",
        rtype::MX => "MX",
        rtype::TXT => "TXT",
        rtype::SIG => "SIG",
        rtype::AAAA => "AAAA",
        rtype::SRV => "SRV",
        rtype::DNAME => "DNAME",
        rtype::RRSIG => "RRSIG",
        rtype::TKEY => "TKEY",
        rtype::IXFR => "IXFR",
        rtype::AXFR => "AXFR",
        rtype::ANY => "ANY",
        _ => return None,
    })
}

/// The name of a response code (RFC 6895 2.3).
pub fn rcode_name(rcode: u16) -> &'static str {
    match rcode {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        6 => "YXDOMAIN",
        7 => "YXRRSET",
        8 => "NXRRSET",
        9 => "NOTAUTH",
        10 => "NOTZONE",
        16 => "BADVERS",
        _ => "RCODE",
    }
}

impl fmt::Display for DnsExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.service.name())?;
        match (self.opcode, &self.update) {
            (opcode::QUERY, _) => match rtype_name(self.qtype) {
                Some(name) => write!(f, "{name} of ")?,
                None => write!(f, "TYPE{} of ", self.qtype)?,
            },
            (opcode::NOTIFY, _) => f.write_str("change notified of ")?,
            (opcode::UPDATE, Some(update)) => write!(f, "update ({} changes) of ", update.total)?,
            (opcode::UPDATE, None) => f.write_str("update of ")?,
            (opcode, _) => write!(f, "operation {opcode} on ")?,
        }
        let name = if self.qname.is_empty() {
            "."
        } else {
            &self.qname
        };
        match &self.answer {
            Some(answer) => write!(
                f,
                "{name}: {} ({}), {} records",
                rcode_name(answer.rcode),
                answer.rcode,
                answer.total
            ),
            None => write!(f, "{name}: no answer seen"),
        }
    }
}

impl DnsService {
    /// The name in texts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Mdns => "mdns",
            Self::Llmnr => "llmnr",
        }
    }
}
