//! One remote procedure call, from its request to its end.

use std::borrow::Cow;

use goshawk_model::rpc::{RpcArguments, RpcAuth, RpcCall, RpcTransport};
use goshawk_model::{Confidence, Kind, Outcome, Timestamp};
use uuid::Uuid;

use super::interfaces::Interface;
use super::ndr::{Ndr, Syntax};
use super::payload::Payload;
use super::security::Caller;
use super::stub::{Convention, Exchange, Handles, Reader};
use crate::flow::Side;
use crate::protocol::{Draft, Moment};
use crate::wire::{Order, Wire};

/// A call that is not over yet.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) moment: Moment,
    /// When it has waited long enough; each fragment of the response extends it.
    pub(super) deadline: Timestamp,
    pub(super) client: Side,
    pub(super) call_id: u32,
    pub(super) target: Target,
    pub(super) opnum: u16,
    pub(super) object: Option<Uuid>,
    pub(super) caller: Caller,
    /// Byte order of the request and of the response, which each side chooses.
    pub(super) orders: (Order, Order),
    pub(super) request: Payload,
    pub(super) response: Payload,
    /// Whether any of the response was seen.
    pub(super) answered: bool,
    pub(super) reader: Option<Reader>,
}

/// What a call is made to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The interface that its presentation context was bound to.
    Bound {
        interface: Uuid,
        ndr64: bool,
    },
    /// The bind was not seen; the endpoint mapper, or the pipe's name, tells this interface.
    Guessed(Uuid),
    Unknown,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Answered,
    Fault(u32),
    Unseen,
}

impl Target {
    pub(super) fn interface(self) -> Option<Uuid> {
        match self {
            Self::Bound { interface, .. } | Self::Guessed(interface) => Some(interface),
            Self::Unknown => None,
        }
    }

    fn is_ndr64(self) -> bool {
        matches!(self, Self::Bound { ndr64: true, .. })
    }
}

impl Call {
    /// The stub of the response, where it is read.
    pub(super) fn answer(&self) -> Option<Ndr<'_>> {
        let (_, order) = self.orders;
        Some(self.ndr(self.response.stub()?, order))
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.request.held() + self.response.held()
    }

    /// The activity, with the protection as it is known now.
    pub(super) fn ended(
        self,
        end: End,
        transport: RpcTransport,
        auth: Option<RpcAuth>,
        handles: &mut Handles,
    ) -> Draft {
        let interface = self.target.interface();
        let confidence = match self.target {
            Target::Bound { .. } | Target::Unknown => Confidence::High,
            Target::Guessed(_) => Confidence::Low,
        };
        let status = self.status().filter(|_| end == End::Answered);
        let failed = status.is_some_and(|(_, failed)| failed);
        let outcome = match end {
            End::Answered if failed => Outcome::Failure,
            End::Answered => Outcome::Success,
            End::Fault(_) => Outcome::Failure,
            // The server has begun to answer, which it does only once it has done its work.
            End::Unseen if self.answered => Outcome::Success,
            End::Unseen => Outcome::Unknown,
        };
        let arguments = self.arguments(end == End::Answered && !failed, handles);
        let known = interface.and_then(Interface::of);
        let call = RpcCall {
            transport,
            interface,
            name: known.map(|known| known.name.into()),
            opnum: self.opnum,
            operation: known
                .and_then(|known| known.operation(self.opnum))
                .map(Cow::Borrowed),
            object: self.object,
            auth,
            arguments,
            status: status.map(|(status, _)| status),
            fault: match end {
                End::Fault(status) => Some(status),
                End::Answered | End::Unseen => None,
            },
            request_bytes: u32::try_from(self.request.length).unwrap_or(u32::MAX),
            response_bytes: self.response.length,
        };
        Draft {
            confidence,
            ..Draft::new(Kind::Rpc(Box::new(call)), outcome)
        }
    }

    /// The operation's return value, and whether it tells of a failure. A guessed interface may be
    /// another one, whose last bytes mean something else.
    fn status(&self) -> Option<(u32, bool)> {
        let Target::Bound { interface, .. } = self.target else {
            return None;
        };
        let convention = Convention::of(interface)?;
        let (_, order) = self.orders;
        let status = Wire::new(&self.response.tail()?, order).u32()?;
        Some((status, convention.is_failure(status)))
    }

    /// What it was called with, and what the answer told, if it `succeeded`.
    fn arguments(&self, succeeded: bool, handles: &mut Handles) -> Option<RpcArguments> {
        let reader = self.reader?;
        let (order, _) = self.orders;
        let request = self.ndr(self.request.stub()?, order);
        let response = self.answer().filter(|_| succeeded);
        reader(&mut Exchange::new(request, response, handles))
    }

    fn ndr<'a>(&self, stub: &'a [u8], order: Order) -> Ndr<'a> {
        let ndr64 = self.target.is_ndr64();
        Ndr::new(stub, Syntax { order, ndr64 })
    }
}
