//! One association of a client with a server: what its binds agreed on, and the calls under way
//! ([C706] 9.3, 12.6).

use std::sync::Arc;

use goshawk_model::rpc::{BindReason, BindRefused, EPM, EndpointMapped, RpcAuth, RpcTransport};
use goshawk_model::{Credentials, Kind, Outcome, Status, Timestamp};
use uuid::Uuid;

use super::call::{Call, End, Target};
use super::interfaces::{self, Interface};
use super::ndr::{Ndr, Syntax};
use super::payload::{self, MAX_STUB, Payload};
use super::pdu::{Pdu, ptype};
use super::presentation::Presentations;
use super::security::{Caller, SecurityContexts};
use super::stub::{self, Handles};
use crate::flow::Side;
use crate::protocol::security::Ending;
use crate::protocol::{Context, Draft, Few, Moment};
use crate::stats::{Drop, Protocol};

/// The well-known port of the endpoint mapper ([MS-RPCE] 2.1.1.1).
const EPM_PORT: u16 = 135;
/// Bytes of all stubs of one association that are put together.
const MAX_STUBS: usize = 4 * MAX_STUB;

/// The state of one association, whatever carries it.
#[derive(Debug)]
pub(super) struct Association {
    transport: RpcTransport,
    /// What the session below authenticated with: that of SMB, for a named pipe. What a bind shows
    /// itself takes precedence.
    session: Option<Arc<Credentials>>,
    presentations: Presentations,
    security: SecurityContexts,
    handles: Handles,
    calls: Few<Call>,
}

impl Association {
    pub(super) fn new(transport: RpcTransport, session: Option<Arc<Credentials>>) -> Self {
        Self {
            transport,
            session,
            presentations: Presentations::default(),
            security: SecurityContexts::default(),
            handles: Handles::default(),
            calls: Few::default(),
        }
    }

    /// The bytes before the first PDU told what carries it.
    pub(super) fn carried_by(&mut self, transport: RpcTransport) {
        self.transport = transport;
    }

    /// Takes a PDU, or what there is of it.
    pub(super) fn pdu(&mut self, pdu: &Pdu<'_>, cx: &mut Context<'_>) {
        // Both sides send RTS PDUs, so they do not tell who calls.
        if pdu.header.ptype != ptype::RTS && !cx.may_be_client(pdu.client) {
            cx.stats.message(Protocol::Dcerpc, false);
            return;
        }
        let understood = match pdu.header.ptype {
            ptype::BIND | ptype::ALTER_CONTEXT => self.bind(pdu, cx),
            ptype::AUTH3 => {
                self.present(pdu, cx);
                Some(())
            }
            ptype::BIND_ACK | ptype::ALTER_CONTEXT_RESP => self.bound(pdu, cx),
            ptype::BIND_NAK => self.unbound(pdu, cx),
            ptype::REQUEST => self.request(pdu, cx),
            ptype::RESPONSE => self.response(pdu, cx),
            ptype::FAULT => self.fault(pdu, cx),
            // Nothing in them that anybody asks for.
            ptype::SHUTDOWN | ptype::CO_CANCEL | ptype::ORPHANED | ptype::RTS => Some(()),
            _ => None,
        };
        cx.stats.message(Protocol::Dcerpc, understood.is_some());
        if payload::is_sealed(pdu) && matches!(pdu.header.ptype, ptype::REQUEST | ptype::RESPONSE) {
            cx.stats.sealed(Protocol::Dcerpc);
        }
    }

    /// Bytes held of what is not complete.
    pub(super) fn held(&self) -> usize {
        self.security.held() + self.stubs()
    }

    /// When the next thing will have waited long enough.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let calls = self.calls.iter().map(|call| call.deadline);
        calls.chain(self.security.deadline()).min()
    }

    /// Ends what has waited until `now`, each at its own deadline.
    pub(super) fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        self.security.expire(now, cx);
        while let Some(index) = self.calls.iter().position(|call| call.deadline <= now) {
            let Some(call) = self.calls.remove(index) else {
                break;
            };
            let moment = Moment {
                time: call.deadline,
                ..call.moment
            };
            self.end(call, End::Unseen, moment, cx);
        }
    }

    /// Something that `side` sent was lost: of what is under way, a fragment may be missing.
    pub(super) fn lost(&mut self, side: Side) {
        for call in self.calls.iter_mut() {
            if call.client == side {
                call.request.tear();
            } else {
                call.response.tear();
            }
        }
    }

    /// Ends everything now: nothing more will come.
    pub(super) fn close(&mut self, cx: &mut Context<'_>) {
        self.security.close(cx);
        while let Some(call) = self.calls.pop_front() {
            let moment = cx.moment();
            self.end(call, End::Unseen, moment, cx);
        }
    }

    fn bind(&mut self, pdu: &Pdu<'_>, cx: &mut Context<'_>) -> Option<()> {
        self.present(pdu, cx);
        if pdu.header.is_first() {
            let (proposals, room) = (pdu.proposals()?, cx.limits.max_contexts);
            self.presentations
                .propose(pdu.header.call_id, proposals, room, cx.stats);
        }
        Some(())
    }

    /// The client shows a security token.
    fn present(&mut self, pdu: &Pdu<'_>, cx: &mut Context<'_>) {
        if let Some(verifier) = &pdu.verifier {
            self.security.present(pdu, verifier, cx);
        }
    }

    fn bound(&mut self, pdu: &Pdu<'_>, cx: &mut Context<'_>) -> Option<()> {
        self.security.settle(pdu, Ending::Accepted, cx);
        if pdu.header.is_first() {
            let verdicts = pdu.verdicts()?;
            for (interface, reason) in self.presentations.decide(pdu.header.call_id, verdicts) {
                self.tell_refused(pdu.client, interface, BindReason::Context(reason), cx);
            }
        }
        Some(())
    }

    fn unbound(&mut self, pdu: &Pdu<'_>, cx: &mut Context<'_>) -> Option<()> {
        let reason = pdu.reject_reason()?;
        let status = Status::Rpc(reason.into());
        self.security.settle(pdu, Ending::Refused(Some(status)), cx);
        for interface in self.presentations.reject(pdu.header.call_id) {
            self.tell_refused(pdu.client, interface, BindReason::Bind(reason), cx);
        }
        Some(())
    }

    /// Emits that the server does not let the client call an interface.
    fn tell_refused(
        &self,
        client: Side,
        interface: Uuid,
        reason: BindReason,
        cx: &mut Context<'_>,
    ) {
        let kind = Kind::Bind(BindRefused {
            transport: self.transport.clone(),
            interface,
            name: Interface::of(interface).map(|known| known.name.into()),
            reason,
        });
        let draft = Draft::new(kind, Outcome::Failure);
        let draft = match &self.session {
            Some(credentials) => draft.by(credentials),
            None => draft,
        };
        let moment = cx.moment();
        cx.emit(moment, client, draft);
    }

    fn request(&mut self, pdu: &Pdu<'_>, cx: &mut Context<'_>) -> Option<()> {
        let request = pdu.request()?;
        let room = self.room();
        let deadline = cx.time + cx.limits.answer_wait;
        let known = self.position(pdu);
        if !pdu.header.is_first() {
            // The rest of a request whose beginning was lost tells nothing.
            if let Some(call) = known.and_then(|index| self.calls.get_mut(index)) {
                call.request.add(pdu, request.stub, room);
                call.deadline = deadline;
            }
            return Some(());
        }
        // The id of a call under way is taken again: its answer was lost.
        let superseded = known.or_else(|| {
            let full = self.calls.len() >= cx.limits.max_pending;
            full.then(|| {
                cx.stats.drop(Drop::PendingEvicted);
                0
            })
        });
        if let Some(call) = superseded.and_then(|index| self.calls.remove(index)) {
            let moment = cx.moment();
            self.end(call, End::Unseen, moment, cx);
        }
        let target = self.target(pdu.client, request.context, cx);
        let reader = match target {
            Target::Bound { interface, .. } => stub::reader(interface, request.opnum),
            // What is said at the mapper's own port is read without its bind too.
            Target::Guessed(EPM) => stub::reader(EPM, request.opnum),
            Target::Guessed(_) | Target::Unknown => None,
        };
        let order = pdu.header.order;
        let mut call = Call {
            moment: cx.moment(),
            deadline,
            client: pdu.client,
            call_id: pdu.header.call_id,
            target,
            opnum: request.opnum,
            object: request.object,
            caller: self.security.caller(pdu),
            orders: (order, order),
            request: Payload::new(reader.is_some()),
            response: Payload::new(reader.is_some()),
            answered: false,
            reader,
        };
        call.request.add(pdu, request.stub, room);
        self.calls.push_back(call);
        Some(())
    }

    /// What a presentation context stands for.
    fn target(&self, client: Side, context: u16, cx: &mut Context<'_>) -> Target {
        if let Some(context) = self.presentations.get(context) {
            return Target::Bound {
                interface: context.interface,
                ndr64: context.ndr64,
            };
        }
        if let RpcTransport::Pipe(name) = &self.transport {
            return interfaces::of_pipe(name).map_or(Target::Unknown, Target::Guessed);
        }
        let server = cx.flow.end(client.other());
        if server.port() == EPM_PORT {
            return Target::Guessed(EPM);
        }
        cx.endpoints
            .interface(cx.flow.end(client).ip(), server)
            .map_or(Target::Unknown, Target::Guessed)
    }

    fn response(&mut self, pdu: &Pdu<'_>, cx: &mut Context<'_>) -> Option<()> {
        let stub = pdu.response()?;
        let room = self.room();
        let Some(index) = self.position(pdu) else {
            // The request was not seen. Towers speak for themselves.
            let at_mapper = cx.flow.end(pdu.client.other()).port() == EPM_PORT;
            let is_clear = !payload::is_sealed(pdu) && !pdu.lacks_verifier();
            if at_mapper && pdu.header.is_first() && is_clear {
                let (order, ndr64) = (pdu.header.order, false);
                tell_mapped(pdu.client, Ndr::new(stub, Syntax { order, ndr64 }), cx);
            }
            return Some(());
        };
        let call = self.calls.get_mut(index)?;
        call.answered = true;
        call.orders.1 = pdu.header.order;
        call.response.add(pdu, stub, room);
        call.deadline = cx.time + cx.limits.answer_wait;
        if !pdu.header.is_last() {
            return Some(());
        }
        let call = self.calls.remove(index)?;
        if let Caller::Context { index, .. } = call.caller {
            self.security.prove(index, cx);
        }
        if (call.target.interface(), call.opnum) == (Some(EPM), stub::EPT_MAP)
            && let Some(answer) = call.answer()
        {
            tell_mapped(call.client, answer, cx);
        }
        let moment = cx.moment();
        self.end(call, End::Answered, moment, cx);
        Some(())
    }

    fn fault(&mut self, pdu: &Pdu<'_>, cx: &mut Context<'_>) -> Option<()> {
        let status = pdu.fault_status()?;
        // A fault may answer an alter_context too.
        let refused = Ending::Refused(Some(Status::Rpc(status)));
        self.security.settle(pdu, refused, cx);
        let index = self.position(pdu);
        if let Some(call) = index.and_then(|index| self.calls.remove(index)) {
            if let Caller::Context { index, .. } = call.caller {
                self.security.refute(index, status, cx);
            }
            let moment = cx.moment();
            self.end(call, End::Fault(status), moment, cx);
        }
        Some(())
    }

    /// Bytes of stubs that are held.
    fn stubs(&self) -> usize {
        self.calls.iter().map(Call::held).sum()
    }

    /// Bytes of stubs that may still be held.
    fn room(&self) -> usize {
        MAX_STUBS.saturating_sub(self.stubs())
    }

    /// The call under way that a PDU belongs to.
    fn position(&self, pdu: &Pdu<'_>) -> Option<usize> {
        self.calls
            .iter()
            .position(|call| call.call_id == pdu.header.call_id && call.client == pdu.client)
    }

    /// Emits a call that is over.
    fn end(&mut self, call: Call, end: End, moment: Moment, cx: &mut Context<'_>) {
        let client = call.client;
        let (auth, credentials) = match call.caller {
            Caller::Session => (None, self.session.as_ref()),
            Caller::Context { index, level } => {
                let shown = self.security.get(index).map(|(auth, credentials)| {
                    let level = level.unwrap_or(auth.level);
                    (RpcAuth { level, ..auth }, credentials)
                });
                shown.unzip()
            }
            Caller::Unknown => (None, None),
        };
        let draft = call.ended(end, self.transport.clone(), auth, &mut self.handles);
        let draft = match credentials {
            Some(credentials) => draft.by(credentials),
            None => draft,
        };
        cx.emit(moment, client, draft);
    }
}

/// Emits what an endpoint mapper's answer tells, and remembers it.
fn tell_mapped(client: Side, answer: Ndr<'_>, cx: &mut Context<'_>) {
    let (asker, server) = (cx.flow.end(client).ip(), cx.flow.end(client.other()).ip());
    for (interface, endpoint) in stub::tcp_endpoints(answer, server) {
        let room = cx.limits.max_mapped_endpoints;
        cx.endpoints.learn(asker, endpoint, interface, room);
        let kind = Kind::Endpoint(EndpointMapped {
            interface,
            endpoint,
        });
        let moment = cx.moment();
        cx.emit(moment, client, Draft::new(kind, Outcome::Success));
    }
}
