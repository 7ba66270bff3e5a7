//! One connection: messages cut out of what carries them, in the clear, signed, sealed or in TLS.

use goshawk_model::ldap::{Operation, Protection};
use goshawk_model::{Outcome, Timestamp};

use super::asked::Asked;
use super::ber::Ber;
use super::bind::Binds;
use super::layer::{self, Inside};
use super::message::{self, Head, Start, op};
use super::operations::Operations;
use super::step::Step;
use super::tls::{self, Tls};
use super::{PORTS, is_own_port, request, result, text};
use crate::flow::Side;
use crate::flow::stream::Progress;
use crate::protocol::{Context, Conversation, Draft, Verdict};
use crate::stats::{Drop, Protocol};

/// Bytes of a search's result that say what is counted: its name, which is cut at some length.
const MAX_RESULT: usize = text::MAX_DN + 8;

/// The state of one connection, or of what two UDP ports exchange.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    binds: Binds,
    operations: Operations,
    /// What each side sends inside a security layer that only signs.
    inside: [Inside; 2],
    /// Whether its buffers so far were such.
    signed: [bool; 2],
    /// Whether it was told that the connection is sealed.
    sealed: bool,
    tls: Tls,
}

impl Conversation for Connection {
    fn starts_message(&self, bytes: &[u8], cx: &Context<'_>) -> Verdict {
        match bytes.first() {
            Some(20..=23) if self.tls.is_known() => tls::tells(bytes),
            _ => super::tells_stream(bytes, &cx.flow, cx.limits),
        }
    }

    fn read(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) -> Progress {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            match self.step(side, rest, cx) {
                Step::Done(count) => taken += count,
                Step::Need(need, length) => {
                    return Progress::Read {
                        taken,
                        need,
                        length,
                    };
                }
                Step::Astray => {
                    cx.stats.message(Protocol::Ldap, false);
                    return Progress::Astray;
                }
            }
        }
        Progress::Read {
            taken,
            need: 0,
            length: 0,
        }
    }

    fn read_cut(&mut self, side: Side, head: &[u8], cx: &mut Context<'_>) {
        if head.first() == Some(&0) {
            self.cut_buffer(side, head, cx);
        } else if let Start::Message(found) = message::start(head) {
            self.message(side, &found, head, Protection::None, cx);
        }
    }

    fn lost(&mut self, side: Side) {
        self.inside_of(side).lose();
    }

    fn datagram(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) {
        // A ping is answered with two messages in one datagram.
        let mut rest = bytes;
        while let Start::Message(head) = message::start(rest) {
            let Some((message, behind)) = rest.split_at_checked(head.length) else {
                break;
            };
            self.message(side, &head, message, Protection::None, cx);
            rest = behind;
        }
    }

    fn is_spent(&self) -> bool {
        self.operations.is_empty() && self.binds.is_empty()
    }

    /// LDAPS is TLS to its end. After StartTLS the connection may go on in the clear (RFC 4511
    /// 4.14.3), and so it may after a bind that takes the layer of SASL away.
    fn is_opaque(&self) -> bool {
        self.tls.is_all()
    }

    fn held(&self) -> usize {
        self.inside.iter().map(Inside::held).sum()
    }

    fn deadline(&self) -> Option<Timestamp> {
        [
            self.binds.deadline(),
            self.operations.deadline(),
            self.tls.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        self.binds.expire(now, cx);
        self.operations.expire(now, cx);
        self.tls.expire(now, cx);
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        self.binds.close(cx);
        self.operations.close(cx);
        self.tls.close(cx);
    }
}

impl Connection {
    /// Reads one unit of the stream: its first byte says which kind it is.
    fn step(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) -> Step {
        let (text, done) = self.inside_of(side).go_on(bytes);
        if done > 0 {
            self.signed(side, [text, &[]], cx);
            return Step::Done(done);
        }
        match bytes.first() {
            Some(0) => self.buffer(side, bytes, cx),
            Some(20..=23) => self.tls.record(side, bytes, cx),
            _ => match message::start(bytes) {
                Start::Message(head) => {
                    let enough = self.enough(side, &head, cx.limits.max_message);
                    if bytes.len() < enough {
                        return Step::Need(enough, head.length);
                    }
                    let message = bytes.get(..head.length).unwrap_or(bytes);
                    self.message(side, &head, message, Protection::None, cx);
                    Step::Done(head.length)
                }
                Start::Need(need) => Step::Need(need, 0),
                Start::Nothing => Step::Astray,
            },
        }
    }

    /// How many bytes of a message are worth waiting for.
    fn enough(&self, side: Side, head: &Head, max_message: usize) -> usize {
        match &head.parts {
            Some(parts)
                if parts.tag == op::SEARCH_RESULT_ENTRY
                    && !self.operations.is_ping(side.other(), parts.id) =>
            {
                head.length.min(parts.body + MAX_RESULT)
            }
            _ => head.length.min(max_message),
        }
    }

    /// A buffer of a security layer.
    fn buffer(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) -> Step {
        if !self.binds.is_sasl() {
            match layer::tells(bytes, true) {
                Verdict::Yes => {}
                Verdict::No => return Step::Astray,
                Verdict::Need(need) => return Step::Need(need, 0),
            }
        }
        let Some(length) = layer::length(bytes) else {
            return Step::Need(layer::MARK, 0);
        };
        let telling = length.min(layer::TELLING);
        if bytes.len() < telling {
            return Step::Need(telling, length);
        }
        let was_signed = self.signed.get(side as usize).copied().unwrap_or_default();
        let is_signed = layer::is_signed(bytes.get(..length).unwrap_or(bytes), was_signed);
        if let Some(signed) = self.signed.get_mut(side as usize) {
            *signed = is_signed;
        }
        if !is_signed {
            cx.stats.sealed(Protocol::Ldap);
            self.seal(side, cx);
            return Step::Done(length);
        }
        let Some(layout) = layer::layout(bytes, length) else {
            cx.stats.message(Protocol::Ldap, false);
            return Step::Done(length);
        };
        if length > cx.limits.max_message {
            if !layout.rotated.is_empty() {
                cx.stats.drop(Drop::LongMessage);
                self.inside_of(side).lose();
                return Step::Done(length);
            }
            self.inside_of(side).begin(&layout, length);
            return Step::Done(layout.text.start);
        }
        let (Some(text), Some(rotated)) = (bytes.get(layout.text), bytes.get(layout.rotated))
        else {
            return Step::Need(length, length);
        };
        self.signed(side, [text, rotated], cx);
        Step::Done(length)
    }

    /// A buffer whose rest was lost: what is whole in it was said all the same.
    fn cut_buffer(&mut self, side: Side, head: &[u8], cx: &mut Context<'_>) {
        let was_signed = self.signed.get(side as usize).copied().unwrap_or_default();
        let text = layer::length(head)
            .filter(|_| layer::is_signed(head, was_signed))
            .and_then(|length| layer::layout(head, length))
            .and_then(|layout| head.get(layout.text.start..layout.text.end.min(head.len())));
        if let Some(text) = text {
            self.signed(side, [text, &[]], cx);
        }
        self.inside_of(side).lose();
    }

    /// Text that was signed.
    fn signed(&mut self, side: Side, text: [&[u8]; 2], cx: &mut Context<'_>) {
        let mut inside = std::mem::take(self.inside_of(side));
        let understood = inside.take(text, |head, bytes| {
            let enough = bytes.len() >= self.enough(side, head, cx.limits.max_message);
            if enough {
                self.message(side, head, bytes, Protection::Signed, cx);
            }
            enough
        });
        if !understood {
            cx.stats.message(Protocol::Ldap, false);
        }
        *self.inside_of(side) = inside;
    }

    /// The connection is sealed from here on: told once.
    fn seal(&mut self, side: Side, cx: &mut Context<'_>) {
        if std::mem::replace(&mut self.sealed, true) {
            return;
        }
        let client = client(side, cx);
        let moment = cx.moment();
        let asked = Asked::unsaid(moment, client, Protection::Sealed);
        let draft = Draft::new(asked.told(Operation::Sealed, None), Outcome::Success);
        let draft = match self.binds.credentials() {
            Some(credentials) => draft.by(credentials),
            None => draft,
        };
        cx.emit(moment, client, draft);
    }

    /// Takes a message, or what there is of it.
    fn message(
        &mut self,
        side: Side,
        head: &Head,
        message: &[u8],
        protection: Protection,
        cx: &mut Context<'_>,
    ) {
        let understood = self.operation(side, head, message, protection, cx);
        cx.stats.message(Protocol::Ldap, understood);
    }

    /// Takes a message; whether it was understood.
    fn operation(
        &mut self,
        side: Side,
        head: &Head,
        message: &[u8],
        protection: Protection,
        cx: &mut Context<'_>,
    ) -> bool {
        let Some(parts) = &head.parts else {
            return false;
        };
        // What is unknown is an extension.
        let Some(is_request) = message::is_request(parts.tag) else {
            return true;
        };
        let client = if is_request { side } else { side.other() };
        if !cx.may_be_client(client) {
            return false;
        }
        let body = parts.body(message);
        let length = u32::try_from(head.length).unwrap_or(u32::MAX);
        let mut asked = Asked {
            moment: cx.moment(),
            client,
            id: parts.id,
            controls: Vec::new(),
            protection,
            bytes: if is_request { length } else { 0 },
            response_bytes: if is_request { 0 } else { length.into() },
        };
        let understood = match parts.tag {
            op::BIND_REQUEST => {
                asked.controls = parts.controls(message);
                self.binds.ask(asked, body, cx)
            }
            op::BIND_RESPONSE => self.binds.answer(asked, body, cx),
            // The connection ends, and with it what waits.
            op::UNBIND_REQUEST => true,
            op::ABANDON_REQUEST => {
                let id = body
                    .bytes()
                    .iter()
                    .fold(0u32, |id, &byte| id << 8 | u32::from(byte));
                self.operations.abandon(client, id, cx);
                true
            }
            op::SEARCH_RESULT_ENTRY | op::SEARCH_RESULT_REFERENCE | op::INTERMEDIATE_RESPONSE => {
                self.operations.progress(parts.tag, asked, body, cx)
            }
            op::EXTENDED_RESPONSE if parts.id == 0 => notification(asked, body, cx),
            tag if !is_request => self.operations.answer(tag, asked, body, cx),
            tag => {
                asked.controls = parts.controls(message);
                let Some((operation, understood)) = request::read(tag, body) else {
                    return false;
                };
                let fingerprint = cx.fingerprint(message);
                let credentials = self.binds.credentials();
                self.operations
                    .ask(asked, operation, credentials, fingerprint, cx);
                understood
            }
        };
        understood || body.is_cut()
    }

    fn inside_of(&mut self, side: Side) -> &mut Inside {
        let [low, high] = &mut self.inside;
        match side {
            Side::Low => low,
            Side::High => high,
        }
    }
}

/// The server speaks unasked, RFC 4511 4.4.
fn notification(asked: Asked, body: Ber<'_>, cx: &mut Context<'_>) -> bool {
    /// `responseName`
    const RESPONSE_NAME: u8 = 0x8a;
    let Some(mut answer) = result::read(body) else {
        return false;
    };
    let name = answer.rest.optional(RESPONSE_NAME);
    let name = text::cut(name.map_or(&[], Ber::bytes), text::MAX_OID);
    let (moment, client) = (asked.moment, asked.client);
    let outcome = result::outcome(answer.code, 0);
    let kind = asked.told(Operation::Notification(name), Some(answer.result()));
    cx.emit(moment, client, Draft::new(kind, outcome));
    true
}

/// The client of a connection whose messages cannot be read: who opened it, or else who is not at
/// a well-known port.
fn client(side: Side, cx: &Context<'_>) -> Side {
    let serves = |side: Side| PORTS.contains(&cx.flow.end(side).port());
    match cx.opener {
        Some(opener) => opener,
        None if is_own_port(&cx.flow) && serves(side) => side.other(),
        None => side,
    }
}
