//! One connection of DCE/RPC: what its binds agreed on, and the calls under way.

use std::collections::VecDeque;

use goshawk_model::rpc::{EPM, EndpointMapped, RpcAuth};
use goshawk_model::{Kind, Outcome, Timestamp};

use super::call::{Call, End, Target};
use super::epm;
use super::pdu::{self, HEADER, Header, Verifier, ptype};
use super::presentation::Presentations;
use super::security::SecurityContexts;
use crate::flow::Side;
use crate::flow::stream::Progress;
use crate::protocol::security::Ending;
use crate::protocol::{Context, Conversation, Draft, Moment};
use crate::stats::{Drop, Protocol};

/// The well-known port of the endpoint mapper ([MS-RPCE] 2.1.1.1).
const EPM_PORT: u16 = 135;
/// Stub of an endpoint mapper's answer that is put together, bytes.
const MAX_STUB: usize = 64 << 10;
/// `RPC_C_AUTHN_LEVEL_PKT_PRIVACY`: the stub is sealed ([MS-RPCE] 2.2.1.1.8).
const LEVEL_PRIVACY: u8 = 6;

/// The state of one connection.
#[derive(Debug, Default)]
pub(crate) struct Association {
    presentations: Presentations,
    security: SecurityContexts,
    calls: VecDeque<Call>,
}

impl Conversation for Association {
    fn starts_message(&self, bytes: &[u8], _cx: &Context<'_>) -> bool {
        Header::parse(bytes).is_some()
    }

    fn read(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) -> Progress {
        let mut rest = bytes;
        loop {
            let taken = bytes.len() - rest.len();
            if rest.len() < HEADER {
                return Progress::Read {
                    taken,
                    need: HEADER,
                    length: 0,
                };
            }
            let Some(header) = Header::parse(rest) else {
                cx.stats.message(Protocol::Dcerpc, false);
                return Progress::Astray;
            };
            let Some((pdu, next)) = rest.split_at_checked(header.frag_length) else {
                return Progress::Read {
                    taken,
                    need: header.frag_length,
                    length: header.frag_length,
                };
            };
            self.pdu(side, &header, pdu, cx);
            rest = next;
        }
    }

    fn read_cut(&mut self, side: Side, head: &[u8], cx: &mut Context<'_>) {
        if let Some(header) = Header::parse(head) {
            self.pdu(side, &header, head, cx);
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        let calls = self.calls.iter().map(|call| call.deadline);
        calls.chain(self.security.deadline()).min()
    }

    fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
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

    fn close(&mut self, cx: &mut Context<'_>) {
        self.security.close(cx);
        while let Some(call) = self.calls.pop_front() {
            let moment = cx.moment();
            self.end(call, End::Unseen, moment, cx);
        }
    }
}

impl Association {
    /// Takes a PDU, or what there is of it.
    fn pdu(&mut self, side: Side, header: &Header, pdu: &[u8], cx: &mut Context<'_>) {
        let client = match header.ptype {
            ptype::REQUEST
            | ptype::BIND
            | ptype::ALTER_CONTEXT
            | ptype::AUTH3
            | ptype::CO_CANCEL
            | ptype::ORPHANED => side,
            _ => side.other(),
        };
        if !cx.may_be_client(client) {
            cx.stats.message(Protocol::Dcerpc, false);
            return;
        }
        let verifier = header.verifier(pdu);
        let verifier = verifier.as_ref();
        let understood = match header.ptype {
            ptype::BIND | ptype::ALTER_CONTEXT => self.bind(client, header, pdu, verifier, cx),
            ptype::AUTH3 => {
                self.present(client, header, verifier, cx);
                Some(())
            }
            ptype::BIND_ACK | ptype::ALTER_CONTEXT_RESP => {
                self.bound(client, header, pdu, verifier, cx)
            }
            ptype::BIND_NAK => {
                self.presentations.reject(header.call_id);
                let (call_id, refused) = (header.call_id, Ending::Refused);
                self.security.settle(client, call_id, verifier, refused, cx);
                Some(())
            }
            ptype::REQUEST => self.request(client, header, pdu, verifier, cx),
            ptype::RESPONSE => self.response(client, header, pdu, verifier, cx),
            ptype::FAULT => self.fault(client, header, pdu, cx),
            // Nothing in them that anybody asks for.
            ptype::SHUTDOWN | ptype::CO_CANCEL | ptype::ORPHANED => Some(()),
            _ => None,
        };
        cx.stats.message(Protocol::Dcerpc, understood.is_some());
    }

    fn bind(
        &mut self,
        client: Side,
        header: &Header,
        pdu: &[u8],
        verifier: Option<&Verifier<'_>>,
        cx: &mut Context<'_>,
    ) -> Option<()> {
        let proposals = pdu::proposals(header.body(pdu))?;
        let room = cx.limits.max_contexts;
        self.presentations
            .propose(header.call_id, proposals, room, cx.stats);
        self.present(client, header, verifier, cx);
        Some(())
    }

    /// The client shows a security token.
    fn present(
        &mut self,
        client: Side,
        header: &Header,
        verifier: Option<&Verifier<'_>>,
        cx: &mut Context<'_>,
    ) {
        if let Some(verifier) = verifier {
            self.security.present(client, header.call_id, verifier, cx);
        }
    }

    fn bound(
        &mut self,
        client: Side,
        header: &Header,
        pdu: &[u8],
        verifier: Option<&Verifier<'_>>,
        cx: &mut Context<'_>,
    ) -> Option<()> {
        let (call_id, accepted) = (header.call_id, Ending::Accepted);
        self.security
            .settle(client, call_id, verifier, accepted, cx);
        self.presentations
            .decide(header.call_id, pdu::verdicts(header.body(pdu))?);
        Some(())
    }

    fn request(
        &mut self,
        client: Side,
        header: &Header,
        pdu: &[u8],
        verifier: Option<&Verifier<'_>>,
        cx: &mut Context<'_>,
    ) -> Option<()> {
        let request = pdu::request(header.body(pdu))?;
        let stub = u32::try_from(header.stub_length(verifier)).ok()?;
        let deadline = cx.time + cx.limits.answer_wait;
        let known = self.position(client, header.call_id);
        if !header.is_first() {
            // The rest of a request whose beginning was lost tells nothing.
            if let Some(call) = known.and_then(|index| self.calls.get_mut(index)) {
                call.request_bytes = call.request_bytes.saturating_add(stub);
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
        let target = self.target(client, request.context, cx);
        let reads_stub = request.opnum == epm::EPT_MAP
            && matches!(
                target,
                Target::Bound { interface: EPM, .. } | Target::Guessed(EPM)
            );
        let index = self.security.find(verifier);
        let level = verifier.map(|verifier| verifier.level);
        self.calls.push_back(Call {
            moment: cx.moment(),
            deadline,
            client,
            call_id: header.call_id,
            target,
            opnum: request.opnum,
            security: index.map(|index| (index, level)),
            request_bytes: stub,
            response_bytes: 0,
            answered: false,
            stub: reads_stub.then(Vec::new),
        });
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
        let server = cx.flow.end(client.other());
        if server.port() == EPM_PORT {
            return Target::Guessed(EPM);
        }
        cx.endpoints
            .interface(cx.flow.end(client).ip(), server)
            .map_or(Target::Unknown, Target::Guessed)
    }

    fn response(
        &mut self,
        client: Side,
        header: &Header,
        pdu: &[u8],
        verifier: Option<&Verifier<'_>>,
        cx: &mut Context<'_>,
    ) -> Option<()> {
        let stub = pdu::response_stub(header.body(pdu))?;
        let length = header.stub_length(verifier);
        let stub = stub.get(..length).unwrap_or(stub);
        let sealed = verifier.is_some_and(|verifier| verifier.level == LEVEL_PRIVACY);
        let Some(index) = self.position(client, header.call_id) else {
            // The request was not seen. Towers speak for themselves.
            let at_mapper = cx.flow.end(client.other()).port() == EPM_PORT;
            if at_mapper && header.is_first() && !sealed {
                emit_mapped(client, header, stub, false, cx);
            }
            return Some(());
        };
        let call = self.calls.get_mut(index)?;
        call.answered = true;
        call.response_bytes += length as u64;
        call.deadline = cx.time + cx.limits.answer_wait;
        if sealed {
            call.stub = None;
        }
        if let Some(whole) = &mut call.stub {
            let room = MAX_STUB.saturating_sub(whole.len());
            whole.extend_from_slice(stub.get(..room).unwrap_or(stub));
        }
        if !header.is_last() {
            return Some(());
        }
        let mut call = self.calls.remove(index)?;
        if let Some((index, _)) = call.security {
            self.security.prove(index, cx);
        }
        if let Some(stub) = call.stub.take() {
            let ndr64 = matches!(call.target, Target::Bound { ndr64: true, .. });
            emit_mapped(client, header, &stub, ndr64, cx);
        }
        let moment = cx.moment();
        self.end(call, End::Answered, moment, cx);
        Some(())
    }

    fn fault(
        &mut self,
        client: Side,
        header: &Header,
        pdu: &[u8],
        cx: &mut Context<'_>,
    ) -> Option<()> {
        let status = pdu::fault_status(header.body(pdu))?;
        // A fault may answer an alter_context too.
        let (call_id, refused) = (header.call_id, Ending::Refused);
        self.security.settle(client, call_id, None, refused, cx);
        let index = self.position(client, header.call_id);
        if let Some(call) = index.and_then(|index| self.calls.remove(index)) {
            let moment = cx.moment();
            self.end(call, End::Fault(status), moment, cx);
        }
        Some(())
    }

    fn position(&self, client: Side, call_id: u32) -> Option<usize> {
        self.calls
            .iter()
            .position(|call| call.call_id == call_id && call.client == client)
    }

    /// Emits a call that is over.
    fn end(&mut self, call: Call, end: End, moment: Moment, cx: &mut Context<'_>) {
        let client = call.client;
        let security = call.security.and_then(|(index, level)| {
            let (auth, credentials) = self.security.get(index)?;
            let level = level.unwrap_or(auth.level);
            Some((RpcAuth { level, ..auth }, credentials))
        });
        cx.emit(moment, client, call.ended(end, security));
    }
}

/// Emits what an endpoint mapper's answer tells, and remembers it.
fn emit_mapped(client: Side, header: &Header, stub: &[u8], ndr64: bool, cx: &mut Context<'_>) {
    let (asker, server) = (cx.flow.end(client).ip(), cx.flow.end(client.other()).ip());
    for (interface, endpoint) in epm::mapped(stub, header.order, ndr64, server) {
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
