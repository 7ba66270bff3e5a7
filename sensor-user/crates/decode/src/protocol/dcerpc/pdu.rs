//! Protocol data units of connection-oriented DCE/RPC ([C706] 12.6, [MS-RPCE] 2.2.2).

use uuid::Uuid;

use crate::flow::Side;
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

/// A PDU, or what there is of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pdu<'a> {
    pub(super) header: Header,
    pub(super) verifier: Option<Verifier<'a>>,
    /// The side that calls, whoever sent this.
    pub(super) client: Side,
    bytes: &'a [u8],
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
    /// Control of the channels of RPC over HTTP version 2 ([MS-RPCH] 2.2.3.6).
    pub(in super::super) const RTS: u8 = 20;
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
        if ptype > ptype::RTS || integers & 0x0f > 1 || floats > 3 {
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

    /// The security trailer and token of a whole PDU.
    fn verifier<'a>(&self, pdu: &'a [u8]) -> Option<Verifier<'a>> {
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

impl<'a> Pdu<'a> {
    /// Takes a PDU apart that `from` sent.
    pub(super) fn new(header: Header, from: Side, bytes: &'a [u8]) -> Self {
        let client = match header.ptype {
            ptype::REQUEST
            | ptype::BIND
            | ptype::ALTER_CONTEXT
            | ptype::AUTH3
            | ptype::CO_CANCEL
            | ptype::ORPHANED => from,
            _ => from.other(),
        };
        Self {
            header,
            verifier: header.verifier(bytes),
            client,
            bytes,
        }
    }

    /// What lies between the common header and the security trailer.
    pub(super) fn body(&self) -> Wire<'a> {
        let end = self.header.frag_length - self.header.trailer_length();
        let body = self.bytes.get(..end).unwrap_or(self.bytes);
        Wire::new(body.get(HEADER..).unwrap_or_default(), self.header.order)
    }

    /// Bytes of stub in a request or response, without security padding, also where they were not
    /// captured.
    pub(super) fn stub_length(&self) -> usize {
        let padding = self.verifier.map_or(0, |it| usize::from(it.pad_length));
        self.header
            .frag_length
            .saturating_sub(CALL_HEADER + self.object_length())
            .saturating_sub(self.header.trailer_length() + padding)
    }

    /// Whether this is a request, or a fragment of one.
    pub(super) fn is_request(&self) -> bool {
        self.header.ptype == ptype::REQUEST
    }

    /// Whether the verifier was cut off, which would tell if the stub can be read.
    pub(super) fn lacks_verifier(&self) -> bool {
        self.header.auth_length > 0 && self.verifier.is_none()
    }

    fn object_length(&self) -> usize {
        let has_object = self.is_request() && self.header.flags & OBJECT_UUID != 0;
        if has_object { 16 } else { 0 }
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
    /// The first transfer syntax offered for it.
    pub(super) transfer_syntax: Option<Uuid>,
}

/// The server's verdict on one proposal (`p_result_t`, [C706] 12.6.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// 0 accepted, 1 and 2 rejected, 3 an answer to what features the client has ([MS-RPCE]
    /// 2.2.2.4).
    pub(super) result: u16,
    /// Why it is rejected (`p_provider_reason_t`).
    pub(super) reason: u16,
    pub(super) transfer_syntax: Uuid,
}

/// A request, or a fragment of one ([C706] 12.6.4.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request<'a> {
    pub(super) context: u16,
    pub(super) opnum: u16,
    /// `PFC_OBJECT_UUID`: the object that the operation is for; in DCOM an interface pointer.
    pub(super) object: Option<Uuid>,
    pub(super) stub: &'a [u8],
}

impl<'a> Pdu<'a> {
    /// The contexts proposed in a bind or alter_context, as far as its body goes.
    pub(super) fn proposals(&self) -> Option<impl Iterator<Item = Proposal> + use<'a>> {
        let (mut body, order) = (self.body(), self.header.order);
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
            // A cut PDU still has its interface.
            let mut offered = Wire::new(body.take(syntaxes * 20).unwrap_or_default(), order);
            Some(Proposal {
                id,
                interface,
                transfer_syntax: offered.uuid(),
            })
        }))
    }

    /// The verdicts in a bind_ack or alter_context_resp, in the order of the proposals.
    pub(super) fn verdicts(&self) -> Option<impl Iterator<Item = Verdict> + use<'a>> {
        let mut body = self.body();
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
            let (result, reason) = (body.u16()?, body.u16()?);
            let transfer_syntax = body.uuid()?;
            let _version = body.u32()?;
            Some(Verdict {
                result,
                reason,
                transfer_syntax,
            })
        }))
    }

    /// Why a bind_nak refuses (`provider_reject_reason`, [C706] 12.6.4.5).
    pub(super) fn reject_reason(&self) -> Option<u16> {
        self.body().u16()
    }

    /// The request in it.
    pub(super) fn request(&self) -> Option<Request<'a>> {
        let mut body = self.body();
        let _alloc_hint = body.u32()?;
        let (context, opnum) = (body.u16()?, body.u16()?);
        let object = match self.object_length() {
            0 => None,
            _ => Some(body.uuid()?),
        };
        Some(Request {
            context,
            opnum,
            object,
            stub: self.stub(body),
        })
    }

    /// The stub of a response, or of a fragment of one ([C706] 12.6.4.10).
    pub(super) fn response(&self) -> Option<&'a [u8]> {
        let mut body = self.body();
        // alloc_hint, p_cont_id, cancel_count, reserved.
        body.take(CALL_HEADER - HEADER)?;
        Some(self.stub(body))
    }

    /// The status of a fault ([C706] 12.6.4.7).
    pub(super) fn fault_status(&self) -> Option<u32> {
        let mut body = self.body();
        body.take(CALL_HEADER - HEADER)?;
        body.u32()
    }

    fn stub(&self, body: Wire<'a>) -> &'a [u8] {
        let stub = body.rest();
        stub.get(..self.stub_length()).unwrap_or(stub)
    }
}
