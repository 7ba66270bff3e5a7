//! One remote procedure call, from its request to its end.

use std::borrow::Cow;

use goshawk_model::rpc::{RpcAuth, RpcCall, RpcTransport};
use goshawk_model::{Confidence, Kind, Outcome, Timestamp};
use uuid::Uuid;

use super::interfaces::Interface;
use crate::flow::Side;
use crate::protocol::{Draft, Moment};

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
    /// Index of its security context, and the level that its own trailer names.
    pub(super) security: Option<(usize, Option<u8>)>,
    pub(super) request_bytes: u32,
    pub(super) response_bytes: u64,
    /// Whether any of the response was seen.
    pub(super) answered: bool,
    /// The response's stub, where it will be read.
    pub(super) stub: Option<Vec<u8>>,
}

/// What a call is made to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The interface that its presentation context was bound to.
    Bound {
        interface: Uuid,
        ndr64: bool,
    },
    /// The bind was not seen; the endpoint mapper named this interface.
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

impl Call {
    /// The activity, with the protection as it is known now.
    pub(super) fn ended(self, end: End, transport: RpcTransport, auth: Option<RpcAuth>) -> Draft {
        let (interface, confidence) = match self.target {
            Target::Bound { interface, .. } => (Some(interface), Confidence::High),
            Target::Guessed(interface) => (Some(interface), Confidence::Low),
            Target::Unknown => (None, Confidence::High),
        };
        let outcome = match end {
            End::Answered => Outcome::Success,
            End::Fault(_) => Outcome::Failure,
            // The server has begun to answer, which it does only once it has done its work.
            End::Unseen if self.answered => Outcome::Success,
            End::Unseen => Outcome::Unknown,
        };
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
            fault: match end {
                End::Fault(status) => Some(status),
                End::Answered | End::Unseen => None,
            },
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
        };
        Draft {
            confidence,
            ..Draft::new(Kind::Rpc(call), outcome)
        }
    }
}
