//! DCE/RPC over TCP ([C706] chapter 12, [MS-RPCE] 2.2.2).

mod association;
mod call;
mod endpoints;
mod epm;
mod interfaces;
mod pdu;
mod presentation;
mod security;
mod tickets;

pub(crate) use association::Association;
pub(crate) use endpoints::Endpoints;

/// Bytes that tell whether a PDU starts with them: its common header.
pub(crate) const TELLING: usize = pdu::HEADER;

/// Whether a PDU starts here.
pub(crate) fn starts_pdu(bytes: &[u8]) -> bool {
    pdu::Header::parse(bytes).is_some()
}
