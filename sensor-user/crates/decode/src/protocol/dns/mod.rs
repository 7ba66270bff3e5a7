//! DNS (RFC 1035) over UDP and TCP, with dynamic update (RFC 2136), zone transfer (RFC 5936, RFC
//! 1995), notification (RFC 1996) and GSS-TSIG (RFC 3645); mDNS (RFC 6762) and LLMNR (RFC 4795).

mod conversation;
pub(crate) mod format;
mod keys;
mod message;
mod pending;
mod rdata;

pub(crate) use conversation::Conversation;
pub(crate) use keys::Keys;

use goshawk_model::dns::DnsService;

use self::format::Header;
use crate::flow::FlowKey;
use crate::flow::stream::{Progress, Verdict};
use crate::limits::Limits;

const DNS_PORT: u16 = 53;
const MDNS_PORT: u16 = 5353;
const LLMNR_PORT: u16 = 5355;
/// Length in front of each message over TCP (RFC 1035 4.2.2).
const MARK: usize = 2;
/// The highest operation code in use: DSO (RFC 8490).
const MAX_OPCODE: u8 = 6;

/// Whether a UDP datagram on a well-known port is a DNS message.
pub(crate) fn tells_datagram(bytes: &[u8], flow: &FlowKey, _limits: &Limits) -> Verdict {
    match service(flow) {
        Some(_) if Header::read(bytes).is_some_and(|(header, _)| is_header(&header)) => {
            Verdict::Yes
        }
        _ => Verdict::No,
    }
}

/// Whether a UDP datagram on any port is a DNS message. A header says little: it must be read to its
/// end.
pub(crate) fn tells_anywhere(bytes: &[u8], _flow: &FlowKey, _limits: &Limits) -> Verdict {
    if format::is_certain(bytes) {
        Verdict::Yes
    } else {
        Verdict::No
    }
}

/// Whether a message of a TCP stream starts here.
pub(crate) fn tells_stream(bytes: &[u8], flow: &FlowKey, _limits: &Limits) -> Verdict {
    match service(flow) {
        Some(_) => starts_message(bytes),
        None => Verdict::No,
    }
}

/// Which protocol a flow on a well-known port speaks.
fn service(flow: &FlowKey) -> Option<DnsService> {
    [
        (DNS_PORT, DnsService::Dns),
        (MDNS_PORT, DnsService::Mdns),
        (LLMNR_PORT, DnsService::Llmnr),
    ]
    .into_iter()
    .find(|&(port, _)| flow.has_port(port))
    .map(|(_, service)| service)
}

fn is_header(header: &Header) -> bool {
    header.opcode <= MAX_OPCODE
}

/// Whether a message of a TCP stream starts here: its header promises no more than its length
/// holds.
fn starts_message(bytes: &[u8]) -> Verdict {
    let Some((mark, message)) = bytes.split_first_chunk() else {
        return Verdict::Need(MARK + format::HEADER);
    };
    let length = usize::from(u16::from_be_bytes(*mark));
    match Header::read(message) {
        Some((header, _)) if is_header(&header) && header.least() <= length => Verdict::Yes,
        None if length >= format::HEADER => Verdict::Need(MARK + format::HEADER),
        _ => Verdict::No,
    }
}

/// Cuts a TCP stream into messages and hands each to `take`.
fn read_messages(bytes: &[u8], mut take: impl FnMut(&[u8])) -> Progress {
    let mut rest = bytes;
    loop {
        let taken = bytes.len() - rest.len();
        let Some((mark, behind)) = rest.split_first_chunk() else {
            return Progress::Read {
                taken,
                need: MARK,
                length: 0,
            };
        };
        let length = usize::from(u16::from_be_bytes(*mark));
        if length < format::HEADER {
            return Progress::Astray;
        }
        let Some((message, next)) = behind.split_at_checked(length) else {
            return Progress::Read {
                taken,
                need: MARK + length,
                length: MARK + length,
            };
        };
        take(message);
        rest = next;
    }
}
