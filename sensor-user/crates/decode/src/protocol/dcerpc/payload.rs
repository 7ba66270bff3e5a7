//! One direction of a call: its stub, put together from fragments as far as somebody reads it.

use super::pdu::Pdu;

/// Bytes of one stub that are put together.
pub(super) const MAX_STUB: usize = 64 << 10;
/// `RPC_C_AUTHN_LEVEL_PKT_PRIVACY`: the stub is sealed ([MS-RPCE] 2.2.1.1.8).
const LEVEL_PRIVACY: u8 = 6;
/// `rpc_sec_verification_trailer` ([MS-RPCE] 2.2.2.13): begins what clients put behind a stub.
const VERIFICATION_TRAILER: [u8; 8] = [0x8a, 0xe3, 0x13, 0x71, 0x02, 0xf4, 0x36, 0x71];
/// Bytes of such a trailer: it names the interface, the transfer syntax and the PDU's header.
const MAX_TRAILER: usize = 256;

/// A request's stub, or a response's.
#[derive(Debug, Default)]
pub(super) struct Payload {
    /// Its bytes, all fragments seen, sealed or not.
    pub(super) length: u64,
    /// The stub, where it will be read and can be.
    kept: Option<Vec<u8>>,
    /// Its last four bytes, where they can be read.
    tail: Option<[u8; 4]>,
    /// Whether a fragment is missing, in whole or in part.
    torn: bool,
}

impl Payload {
    /// Nothing yet, and whether its content will be read.
    pub(super) fn new(is_read: bool) -> Self {
        Self {
            kept: is_read.then(Vec::new),
            ..Self::default()
        }
    }

    /// Adds the stub of a fragment, of which at most `room` bytes find room.
    pub(super) fn add(&mut self, pdu: &Pdu<'_>, stub: &[u8], room: usize) {
        let is_cut = stub.len() < pdu.stub_length() || pdu.lacks_verifier();
        let (stub, length) = match without_trailer(pdu, stub) {
            Some(stub) => (stub, stub.len()),
            None => (stub, pdu.stub_length()),
        };
        if self.length == 0 && !pdu.header.is_first() {
            self.torn = true;
        }
        self.length += length as u64;
        if is_cut || is_sealed(pdu) {
            self.tear();
        }
        if self.torn {
            return;
        }
        if let Some(kept) = &mut self.kept {
            let room = room.min(MAX_STUB.saturating_sub(kept.len()));
            kept.extend_from_slice(stub.get(..room).unwrap_or(stub));
        }
        self.tail = stub.last_chunk().copied();
    }

    /// Something of it was lost: what is kept would be read wrongly.
    pub(super) fn tear(&mut self) {
        self.torn = true;
        self.kept = None;
        self.tail = None;
    }

    /// The stub, where it is read.
    pub(super) fn stub(&self) -> Option<&[u8]> {
        self.kept.as_deref()
    }

    /// The stub's last four bytes.
    pub(super) fn tail(&self) -> Option<[u8; 4]> {
        self.tail
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.kept.as_ref().map_or(0, Vec::len)
    }
}

/// Whether nobody but its ends can read a PDU's stub.
pub(super) fn is_sealed(pdu: &Pdu<'_>) -> bool {
    pdu.verifier
        .is_some_and(|verifier| verifier.level == LEVEL_PRIVACY)
}

/// The stub without the verification trailer that is behind it, aligned to 4 bytes.
fn without_trailer<'a>(pdu: &Pdu<'_>, stub: &'a [u8]) -> Option<&'a [u8]> {
    if !pdu.header.is_last() || !pdu.is_request() || is_sealed(pdu) {
        return None;
    }
    let from = stub.len().saturating_sub(MAX_TRAILER);
    let behind = stub.get(from..)?;
    let mut windows = behind.windows(VERIFICATION_TRAILER.len());
    let found = windows.position(|bytes| bytes == VERIFICATION_TRAILER)?;
    stub.get(..from + found)
}
