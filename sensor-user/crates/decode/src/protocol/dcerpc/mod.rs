//! DCE/RPC over TCP, named pipes and HTTP ([C706] chapter 12, [MS-RPCE] 2.2.2).

mod association;
mod call;
mod conversation;
mod endpoints;
mod interfaces;
pub(crate) mod ndr;
mod payload;
mod pdu;
mod pipe;
mod presentation;
mod secure_channel;
mod security;
mod stub;

pub(crate) use conversation::Conversation;
pub(crate) use endpoints::Endpoints;
pub(crate) use pipe::Pipe;

use super::Verdict;
use crate::flow::FlowKey;
use crate::limits::Limits;

/// Whether a conversation starts here.
pub(crate) fn tells_stream(bytes: &[u8], _flow: &FlowKey, _limits: &Limits) -> Verdict {
    starts_pdu(bytes)
}

/// Whether a PDU starts here, or the greeting that comes before those over HTTP.
fn starts_pdu(bytes: &[u8]) -> Verdict {
    if pdu::Header::parse(bytes).is_some() || bytes.starts_with(conversation::GREETING) {
        Verdict::Yes
    } else if bytes.len() < pdu::HEADER && bytes.first().is_none_or(|&version| version == 5) {
        Verdict::Need(pdu::HEADER)
    } else if conversation::GREETING.starts_with(bytes) {
        Verdict::Need(conversation::GREETING.len())
    } else {
        Verdict::No
    }
}
