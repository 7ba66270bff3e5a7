//! The exchanges: what was asked, and how it ended.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{AnswerData, Opened, RequestData, error_name, etype_name};
use crate::{Account, Carrier, Digest, Timestamp};

/// An AS exchange: a client asks for its first ticket (RFC 4120 3.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AsExchange {
    /// What was asked; `None` when only the answer was seen.
    pub request: Option<AsRequest>,
    /// The client that the answer names, or else the request's; `None` when hidden by FAST.
    pub client: Option<Account>,
    /// The service, usually `krbtgt/REALM`, as `name/instance@realm` in the wire's case.
    pub service: Option<Box<str>>,
    /// How it ended.
    pub answer: Answer,
    /// What the answer tells beside.
    #[serde(default, skip_serializing_if = "AnswerData::is_empty")]
    pub answer_data: AnswerData,
}

/// The readable part of an AS-REQ (RFC 4120 5.4.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsRequest {
    /// `kdc-options`, most significant bit first.
    pub kdc_options: u32,
    /// `etype`, in the client's order of preference.
    pub etypes: Vec<i32>,
    /// `padata-type` of each pre-authentication element, in order.
    pub padata: Vec<i32>,
    /// What the `padata` tell in clear text.
    #[serde(default, skip_serializing_if = "RequestData::is_empty")]
    pub data: RequestData,
    /// `name-type` of the client's name (RFC 4120 6.2); 10 is an enterprise name (RFC 6806 5).
    #[serde(default)]
    pub name_type: i32,
    /// `from`: when the ticket is to become valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// `till`: how long it is to be valid; at most the year 2554. 1970 means as long as may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub till: Option<Timestamp>,
    /// `rtime`: how long it is to be renewable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtime: Option<Timestamp>,
    /// IP addresses in `addresses`: where the ticket is to be good.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
    /// NetBIOS names in `addresses`: the workstation's name (RFC 4120 7.5.3).
    pub netbios_addresses: Vec<Box<str>>,
    /// `nonce`; a retransmission repeats it.
    pub nonce: u32,
    /// A digest of the request's bytes; a retransmission repeats it.
    pub digest: Digest,
}

/// A TGS exchange: a client turns its ticket into another (RFC 4120 3.3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TgsExchange {
    /// What was asked; `None` when only the answer was seen.
    pub request: Option<TgsRequest>,
    /// The client that the answer names; `None` when hidden by FAST (`WELLKNOWN/ANONYMOUS`) or
    /// not answered with a ticket.
    pub client: Option<Account>,
    /// The service asked for, as `class/instance@realm` in the wire's case.
    pub service: Option<Box<str>>,
    /// How it ended.
    pub answer: Answer,
    /// What the answer tells beside.
    #[serde(default, skip_serializing_if = "AnswerData::is_empty")]
    pub answer_data: AnswerData,
}

/// The readable part of a TGS-REQ (RFC 4120 5.4.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TgsRequest {
    /// The ticket presented in `PA-TGS-REQ`; where it was issued tells who asks.
    pub presented: Option<Ticket>,
    /// `kdc-options`, most significant bit first.
    pub kdc_options: u32,
    /// `etype`, in the client's order of preference.
    pub etypes: Vec<i32>,
    /// `padata-type` of each element, in order.
    pub padata: Vec<i32>,
    /// What the `padata` tell in clear text.
    #[serde(default, skip_serializing_if = "RequestData::is_empty")]
    pub data: RequestData,
    /// Encryption type of the authenticator that came with it: that of its session key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authenticator_etype: Option<i32>,
    /// `name-type` of the service's name (RFC 4120 6.2); -128 is Microsoft's `NT-MS-PRINCIPAL`.
    pub name_type: i32,
    /// Whether there is `enc-authorization-data`: MS14-068 brings a PAC of its own in it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub enc_authorization_data: bool,
    /// `additional-tickets`: user-to-user and delegation.
    pub additional: Vec<Ticket>,
    /// `from`: when the ticket is to become valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// `till`: how long it is to be valid; at most the year 2554. 1970 means as long as may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub till: Option<Timestamp>,
    /// `rtime`: how long it is to be renewable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtime: Option<Timestamp>,
    /// IP addresses in `addresses`: where the ticket is to be good.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
    /// `nonce`; a retransmission repeats it.
    pub nonce: u32,
    /// A digest of the request's bytes; a retransmission repeats it.
    pub digest: Digest,
}

/// How a KDC answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// A ticket, in an AS-REP or TGS-REP.
    Issued {
        /// The ticket.
        ticket: Ticket,
        /// The encryption type of the reply's own sealed part: the client's long-term key in an
        /// AS-REP, which is what AS-REP roasting cracks.
        reply_etype: i32,
    },
    /// A KRB-ERROR with this code ([`error`]).
    Refused(i32),
    /// No answer was seen, or not enough of it.
    Unseen,
}

/// A ticket as its bearer and the wire know it: its sealed part's identity, not its content.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ticket {
    /// Digest of `enc-part.cipher`; equal wherever this ticket is carried.
    pub id: Digest,
    /// The service it is for, as `class/instance@realm` in the wire's case.
    pub service: Box<str>,
    /// `enc-part.etype`.
    pub etype: i32,
    /// `enc-part.kvno`.
    pub kvno: Option<u32>,
    /// Length of `enc-part.cipher`, bytes; grows with the PAC.
    pub length: u32,
    /// What is in it, where the sensor has the key (`[domain] keytab`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<Arc<Opened>>,
}

/// A ticket presented to a service: an AP exchange (RFC 4120 3.2), wherever it was carried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApExchange {
    /// The ticket presented.
    pub ticket: Ticket,
    /// The protocol that carried it.
    pub carrier: Carrier,
    /// `ap-options`, most significant bit first.
    #[serde(default)]
    pub ap_options: u32,
    /// Encryption type of the authenticator: that of the session key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authenticator_etype: Option<i32>,
    /// KRB-ERROR code, where the service refused.
    pub error: Option<i32>,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl fmt::Display for AsExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            client,
            service,
            answer,
            ..
        } = self;
        let client = client.as_ref().map_or("?", Account::as_str);
        let service = service.as_deref().unwrap_or("?");
        write!(f, "kerberos AS {client} for {service}: {answer}")
    }
}

impl fmt::Display for TgsExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = self.service.as_deref().unwrap_or("?");
        write!(f, "kerberos TGS for {service}: {}", self.answer)
    }
}

impl fmt::Display for ApExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let carrier = self.carrier.name();
        write!(
            f,
            "kerberos AP in {carrier} with a ticket for {}",
            self.ticket.service
        )
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issued { ticket, .. } => write!(f, "ticket, {}", etype_name(ticket.etype)),
            Self::Refused(code) => write!(f, "{} ({code})", error_name(*code)),
            Self::Unseen => f.write_str("no answer seen"),
        }
    }
}
