//! NetBIOS over UDP (RFC 1001, RFC 1002): the name service, and the datagram service with the
//! mailslots in it. Its sessions are a carrier of SMB.

mod datagram;
mod mailslot;
mod name;
mod names;
mod service;

pub(crate) use datagram::Datagrams;
pub(crate) use service::NameService;

use super::dns::format::Header;
use crate::flow::FlowKey;
use crate::flow::stream::Verdict;
use crate::limits::Limits;

const NAME_SERVICE: u16 = 137;
const DATAGRAM_SERVICE: u16 = 138;
/// Records that a message may have in a section: one, but for an answer of old implementations.
const MAX_COUNT: u16 = 16;

/// Whether a datagram is of the name service, whose header says so little that the port must too.
pub(crate) fn tells_names(bytes: &[u8], flow: &FlowKey, _limits: &Limits) -> Verdict {
    let is_header = |(header, _): (Header, _)| {
        header.counts.questions <= MAX_COUNT && header.counts.answers <= MAX_COUNT
    };
    if flow.has_port(NAME_SERVICE) && Header::read(bytes).is_some_and(is_header) {
        Verdict::Yes
    } else {
        Verdict::No
    }
}

/// Whether a datagram is of the datagram service.
pub(crate) fn tells_datagrams(bytes: &[u8], flow: &FlowKey, _limits: &Limits) -> Verdict {
    if flow.has_port(DATAGRAM_SERVICE) && datagram::starts(bytes) {
        Verdict::Yes
    } else {
        Verdict::No
    }
}
