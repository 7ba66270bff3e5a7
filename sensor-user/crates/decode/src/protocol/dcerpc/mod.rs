//! DCE/RPC over TCP ([C706] chapter 12, [MS-RPCE] 2.2.2).

mod association;
mod call;
mod endpoints;
mod epm;
mod interfaces;
mod pdu;
mod presentation;
mod security;

pub(crate) use association::Association;
pub(crate) use endpoints::Endpoints;

use super::Verdict;
use crate::flow::FlowKey;
use crate::limits::Limits;

/// Whether a PDU starts here.
pub(crate) fn tells_stream(bytes: &[u8], _flow: &FlowKey, _limits: &Limits) -> Verdict {
    if pdu::Header::parse(bytes).is_some() {
        Verdict::Yes
    } else if bytes.len() < pdu::HEADER && bytes.first().is_none_or(|&version| version == 5) {
        Verdict::Need(pdu::HEADER)
    } else {
        Verdict::No
    }
}
