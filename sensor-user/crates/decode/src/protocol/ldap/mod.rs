//! LDAP over TCP (RFC 4511, [MS-ADTS] 3.1.1.3) with its security layers, and CLDAP, the pings over
//! UDP by which clients find a domain controller ([MS-ADTS] 6.3.3).

mod asked;
mod attribute;
mod ber;
mod bind;
mod connection;
mod filter;
mod layer;
mod message;
pub(crate) mod netlogon;
mod operations;
mod request;
mod result;
mod step;
mod text;
mod tls;

pub(crate) use connection::Connection;

use super::Verdict;
use crate::flow::FlowKey;
use crate::limits::Limits;

/// The well-known ports: LDAP, LDAPS, and those of the global catalog ([MS-ADTS] 5.1.1).
const PORTS: [u16; 4] = [389, 636, 3268, 3269];

/// Whether a message, or what surrounds messages, starts here. TLS says nothing of what is inside;
/// there the port must.
pub(crate) fn tells_stream(bytes: &[u8], flow: &FlowKey, _limits: &Limits) -> Verdict {
    match bytes.first() {
        Some(0) => layer::tells(bytes, is_own_port(flow)),
        Some(20..=23) if is_own_port(flow) => tls::tells(bytes),
        _ => message::tells(bytes),
    }
}

/// Whether a datagram holds messages.
pub(crate) fn tells_datagram(bytes: &[u8], _flow: &FlowKey, _limits: &Limits) -> Verdict {
    match message::start(bytes) {
        message::Start::Message(head) if head.length <= bytes.len() => message::tells(bytes),
        _ => Verdict::No,
    }
}

fn is_own_port(flow: &FlowKey) -> bool {
    PORTS.into_iter().any(|port| flow.has_port(port))
}
