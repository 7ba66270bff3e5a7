//! Protocol data units of connection-oriented DCE/RPC ([C706] 12.6, [MS-RPCE] 2.2.2).

use uuid::Uuid;

use crate::wire::{Order, Wire};

/// The header that all PDUs begin with ([C706] 12.6.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) ptype: u8,
    pub(super) flags: u8,
    pub(super) order: Order,
    /// Length of the whole PDU.
    pub(super) frag_length: usize,
    pub(super) auth_length: usize,
    pub(super) call_id: u32,
}

/// PDU types ([C706] 12.6.4).
pub(super) mod ptype {
    pub(in super::super) const REQUEST: u8 = 0;
    pub(in super::super) const RESPONSE: u8 = 2;
    pub(in super::super) const FAULT: u8 = 3;
    pub(in super::super) const BIND: u8 = 11;
    pub(in super::super) const BIND_ACK: u8 = 12;
    pub(in super::super) const BIND_NAK: u8 = 13;
    pub(in super::super) const ALTER_CONTEXT: u8 = 14;
    pub(in super::super) const ALTER_CONTEXT_RESP: u8 = 15;
    /// [MS-RPCE] 2.2.2.10.
    pub(in super::super) const AUTH3: u8 = 16;
    pub(in super::super) const SHUTDOWN: u8 = 17;
    pub(in super::super) const CO_CANCEL: u8 = 18;
    pub(in super::super) const ORPHANED: u8 = 19;
}

/// `PFC_FIRST_FRAG`
const FIRST_FRAG: u8 = 0x01;
/// `PFC_LAST_FRAG`
const LAST_FRAG: u8 = 0x02;
/// `PFC_OBJECT_UUID`
const OBJECT_UUID: u8 = 0x80;

/// Length of the common header.
pub(super) const HEADER: usize = 16;
/// Header of a request, response or fault, up to the stub or the status.
pub(super) const CALL_HEADER: usize = 24;
/// `sec_trailer` in front of the security token ([MS-RPCE] 2.2.2.11).
const SEC_TRAILER: usize = 8;

impl Header {
    /// Reads the common header; `None` if this is none.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (&[5, 0 | 1, ptype, flags, integers, floats, 0, 0], rest) =
            bytes.split_first_chunk::<8>()?
        else {
            return None;
        };
        // The data representation ([C706] 14.1): integers and characters, then floats.
        let order = match integers >> 4 {
            0 => Order::Big,
            1 => Order::Little,
            _ => return None,
        };
        if ptype > ptype::ORPHANED || integers & 0x0f > 1 || floats > 3 {
            return None;
        }
        let mut wire = Wire::new(rest, order);
        let header = Self {
            ptype,
            flags,
            order,
            frag_length: usize::from(wire.u16()?),
            auth_length: usize::from(wire.u16()?),
            call_id: wire.u32()?,
        };
        let fits = header.frag_length >= HEADER + header.trailer_length();
        fits.then_some(header)
    }

    pub(super) fn is_first(&self) -> bool {
        self.flags & FIRST_FRAG != 0
    }

    pub(super) fn is_last(&self) -> bool {
        self.flags & LAST_FRAG != 0
    }

    /// Length of the security trailer and token.
    fn trailer_length(&self) -> usize {
        match self.auth_length {
            0 => 0,
            length => SEC_TRAILER + length,
        }
    }

    /// Bytes of stub in a request or response, without security padding as far as `verifier` tells
    /// it.
    pub(super) fn stub_length(&self, verifier: Option<&Verifier<'_>>) -> usize {
        let object = if self.ptype == ptype::REQUEST && self.flags & OBJECT_UUID != 0 {
            16
        } else {
            0
        };
        let padding = verifier.map_or(0, |verifier| usize::from(verifier.pad_length));
        self.frag_length
            .saturating_sub(CALL_HEADER + object + self.trailer_length() + padding)
    }

    /// What lies between the common header and the security trailer, as far as `pdu` has it.
    pub(super) fn body<'a>(&self, pdu: &'a [u8]) -> Wire<'a> {
        let end = self.frag_length.saturating_sub(self.trailer_length());
        let pdu = pdu.get(..end).unwrap_or(pdu);
        Wire::new(pdu.get(HEADER..).unwrap_or_default(), self.order)
    }

    /// The security trailer and token of a whole PDU.
    pub(super) fn verifier<'a>(&self, pdu: &'a [u8]) -> Option<Verifier<'a>> {
        if self.auth_length == 0 {
            return None;
        }
        let start = self.frag_length.checked_sub(self.trailer_length())?;
        let mut wire = Wire::new(pdu.get(start..self.frag_length)?, self.order);
        let (auth_type, level) = (wire.u8()?, wire.u8()?);
        let (pad_length, _reserved) = (wire.u8()?, wire.u8()?);
        Some(Verifier {
            auth_type,
            level,
            pad_length,
            context_id: wire.u32()?,
            token: wire.rest(),
        })
    }
}

/// The security trailer of a PDU ([MS-RPCE] 2.2.2.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verifier<'a> {
    pub(super) auth_type: u8,
    pub(super) level: u8,
    pub(super) pad_length: u8,
    pub(super) context_id: u32,
    pub(super) token: &'a [u8],
}

/// A presentation context that a client proposes (`p_cont_elem_t`, [C706] 12.6.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Proposal {
    pub(super) id: u16,
    /// UUID of the interface.
    pub(super) interface: Uuid,
}

/// The contexts proposed in a bind or alter_context, as far as its body goes.
pub(super) fn proposals(mut body: Wire<'_>) -> Option<impl Iterator<Item = Proposal>> {
    // max_xmit_frag, max_recv_frag, assoc_group_id.
    body.take(8)?;
    let count = body.u8()?;
    body.take(3)?;
    Some((0..count).map_while(move |_| {
        let id = body.u16()?;
        let syntaxes = usize::from(body.u8()?);
        body.take(1)?;
        let interface = body.uuid()?;
        let _version = body.u32()?;
        // Transfer syntaxes; a cut PDU still has its interface.
        let _ = body.take(syntaxes * 20);
        Some(Proposal { id, interface })
    }))
}

/// The server's verdict on one proposal (`p_result_t`, [C706] 12.6.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) accepted: bool,
    pub(super) transfer_syntax: Uuid,
}

/// The verdicts in a bind_ack or alter_context_resp, in the order of the proposals.
pub(super) fn verdicts(mut body: Wire<'_>) -> Option<impl Iterator<Item = Verdict>> {
    // max_xmit_frag, max_recv_frag, assoc_group_id.
    body.take(8)?;
    let address = usize::from(body.u16()?);
    body.take(address)?;
    // The list is aligned to 4 bytes; up to here are the header, 8, 2, and the address.
    let odd = (HEADER + 10 + address) % 4;
    body.take((4 - odd) % 4)?;
    let count = body.u8()?;
    body.take(3)?;
    Some((0..count).map_while(move |_| {
        let result = body.u16()?;
        let _reason = body.u16()?;
        let transfer_syntax = body.uuid()?;
        let _version = body.u32()?;
        Some(Verdict {
            accepted: result == 0,
            transfer_syntax,
        })
    }))
}

/// What follows the common header of a request ([C706] 12.6.4.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) context: u16,
    pub(super) opnum: u16,
}

pub(super) fn request(mut body: Wire<'_>) -> Option<Request> {
    let _alloc_hint = body.u32()?;
    Some(Request {
        context: body.u16()?,
        opnum: body.u16()?,
    })
}

/// The stub of a response ([C706] 12.6.4.10).
pub(super) fn response_stub(mut body: Wire<'_>) -> Option<&[u8]> {
    // alloc_hint, p_cont_id, cancel_count, reserved.
    body.take(CALL_HEADER - HEADER)?;
    Some(body.rest())
}

/// The status of a fault ([C706] 12.6.4.7).
pub(super) fn fault_status(mut body: Wire<'_>) -> Option<u32> {
    body.take(CALL_HEADER - HEADER)?;
    body.u32()
}
