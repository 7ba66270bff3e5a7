//! The exchanges on one flow: each question with its answer.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use goshawk_model::dns::{DnsService, rtype};
use goshawk_model::{Carrier, Credentials, Digest, Timestamp};

use super::message::{self, Message, Tkey};
use super::pending::{Exchange, Pending};
use super::{read_messages, service, starts_message};
use crate::flow::Side;
use crate::flow::stream::{Progress, Verdict};
use crate::protocol::security::{Ending, Handshake};
use crate::protocol::{self, Context, Moment};
use crate::stats::{Drop, Protocol};

/// Questions that wait for their answers, and the key that is being agreed on.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    pending: VecDeque<Pending>,
    /// The key's name, and the authentication that makes it (RFC 3645).
    agreeing: Option<Box<(Box<str>, Handshake)>>,
}

/// How long a question that was answered, or needs no answer, is remembered to know repetitions of
/// it. Clients of DNS take a port for each question, so it must not be long: a busy server has
/// thousands in a second.
const LINGER: Duration = Duration::from_secs(1);

impl protocol::Conversation for Conversation {
    fn starts_message(&self, bytes: &[u8], _cx: &Context<'_>) -> Verdict {
        starts_message(bytes)
    }

    fn read(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) -> Progress {
        let progress = read_messages(bytes, |message| self.message(side, message, cx));
        if progress == Progress::Astray {
            cx.stats.drop(Drop::LongMessage);
        }
        progress
    }

    fn datagram(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) {
        self.message(side, bytes, cx);
    }

    fn is_spent(&self) -> bool {
        self.pending.is_empty() && self.agreeing.is_none()
    }

    fn deadline(&self) -> Option<Timestamp> {
        let agreeing = self.agreeing.as_deref();
        let agreed = agreeing.and_then(|(_, handshake)| handshake.deadline());
        let pending = self.pending.iter().map(|pending| pending.deadline);
        pending.chain(agreed).min()
    }

    fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        if let Some((_, handshake)) = self.agreeing.as_deref_mut() {
            handshake.expire(now, cx);
        }
        // Each at its own deadline, which those answered have sooner than others.
        while let Some(index) = self.earliest().filter(|&(due, _)| due <= now) {
            let (due, index) = index;
            if let Some(pending) = self.pending.remove(index) {
                let moment = Moment {
                    time: due,
                    ..pending.moment
                };
                unanswered(pending, moment, cx);
            }
        }
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        if let Some((_, handshake)) = self.agreeing.as_deref_mut() {
            handshake.close(cx);
        }
        while let Some(pending) = self.pending.pop_front() {
            let moment = cx.moment();
            unanswered(pending, moment, cx);
        }
    }
}

impl Conversation {
    /// Takes one message, from a datagram or a stream.
    fn message(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) {
        let message = message::parse(bytes);
        let is_whole = message.as_ref().is_some_and(|message| message.is_whole);
        cx.stats.message(Protocol::Dns, is_whole);
        let (Some(message), Some(service)) = (message, service(&cx.flow)) else {
            return;
        };
        let received = Received {
            message,
            bytes: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            digest: if cx.is_udp() {
                Digest::of(&[bytes])
            } else {
                Digest::default()
            },
            service,
        };
        if received.message.header.is_response {
            self.answer(side.other(), received, cx);
        } else {
            self.ask(side, received, cx);
        }
    }

    fn ask(&mut self, client: Side, received: Received<'_>, cx: &mut Context<'_>) {
        let Received {
            mut message,
            bytes,
            digest,
            service,
        } = received;
        // A client that hears nothing asks again in the same bytes, and a mirror port may show
        // every packet twice. TCP has taken repetitions out already.
        let repeated =
            |pending: &Pending| pending.asked == Some(digest) && pending.client == client;
        if cx.is_udp() && self.pending.iter().any(repeated) {
            return;
        }
        let credentials = self.signer(client, &message, cx);
        self.agree(client, &message, cx);
        let questions = std::mem::take(&mut message.questions);
        let mut asked = |question, cx: &mut Context<'_>| {
            let (credentials, moment) = (credentials.clone(), cx.moment());
            let exchange = Exchange::asked(service, question, &mut message, bytes, credentials);
            (moment, exchange)
        };
        // Who answers a multicast question does so from another address: on another flow.
        if cx.flow.end(client.other()).ip().is_multicast() {
            for question in questions {
                let (moment, exchange) = asked(question, cx);
                cx.emit(moment, client, exchange.ended());
            }
            self.remember(client, Some(digest), None, cx);
            return;
        }
        for question in questions {
            let (moment, exchange) = asked(question, cx);
            self.keep(
                Pending {
                    moment,
                    deadline: cx.time + cx.limits.answer_wait,
                    client,
                    asked: Some(digest),
                    answered: None,
                    exchange: Some(exchange),
                },
                cx,
            );
        }
    }

    fn answer(&mut self, client: Side, received: Received<'_>, cx: &mut Context<'_>) {
        let Received {
            mut message,
            bytes,
            digest,
            service,
        } = received;
        let repeated =
            |pending: &Pending| pending.answered == Some(digest) && pending.client == client;
        if cx.is_udp() && self.pending.iter().any(repeated) {
            return;
        }
        self.agreed(client, &message, cx);
        let answers = |pending: &Pending| {
            let exchange = pending.exchange.as_ref();
            pending.client == client && exchange.is_some_and(|exchange| exchange.fits(&message))
        };
        let Some(index) = self.pending.iter().position(answers) else {
            self.unasked(client, digest, service, message, bytes, cx);
            return;
        };
        let Some(pending) = self.pending.get_mut(index) else {
            return;
        };
        let is_over = pending
            .exchange
            .as_mut()
            .is_some_and(|exchange| exchange.answer(&mut message, bytes));
        if !is_over {
            pending.deadline = cx.time + cx.limits.answer_wait;
            return;
        }
        pending.answered = Some(digest);
        pending.deadline = cx.time + LINGER;
        let exchange = pending.exchange.take();
        if !cx.is_udp() {
            self.pending.remove(index);
        }
        if let Some(exchange) = exchange {
            let moment = cx.moment();
            cx.emit(moment, client, exchange.ended());
        }
    }

    /// An answer whose question was not seen, or was answered otherwise before: a forger's race
    /// against the server shows so.
    fn unasked(
        &mut self,
        client: Side,
        digest: Digest,
        service: DnsService,
        mut message: Message<'_>,
        bytes: u32,
        cx: &mut Context<'_>,
    ) {
        let Some(question) = message.questions.first().cloned() else {
            // It may be in the midst of a zone transfer; in any case it tells nothing.
            return;
        };
        let moment = cx.moment();
        let mut exchange = Exchange::unasked(service, question, &message);
        exchange.answer(&mut message, bytes);
        cx.emit(moment, client, exchange.ended());
        self.remember(client, None, Some(digest), cx);
    }

    /// What is told already may come again over UDP.
    fn remember(
        &mut self,
        client: Side,
        asked: Option<Digest>,
        answered: Option<Digest>,
        cx: &mut Context<'_>,
    ) {
        if !cx.is_udp() {
            return;
        }
        let pending = Pending {
            moment: cx.moment(),
            deadline: cx.time + LINGER,
            client,
            asked,
            answered,
            exchange: None,
        };
        self.keep(pending, cx);
    }

    /// A step towards a key, from the client.
    fn agree(&mut self, client: Side, message: &Message<'_>, cx: &mut Context<'_>) {
        let Some((name, tkey)) = agreeing(message) else {
            return;
        };
        let goes_on = self
            .agreeing
            .as_deref()
            .is_some_and(|(known, _)| **known == *name);
        if !goes_on {
            if let Some((_, handshake)) = self.agreeing.as_deref_mut() {
                handshake.close(cx);
            }
            self.agreeing = Some(Box::new((name.into(), Handshake::new(Carrier::Dns))));
        }
        if let Some((_, handshake)) = self.agreeing.as_deref_mut() {
            handshake.client(client, tkey.token, cx);
        }
    }

    /// The server's part of it.
    fn agreed(&mut self, client: Side, message: &Message<'_>, cx: &mut Context<'_>) {
        let Some((name, handshake)) = self.agreeing.as_deref_mut() else {
            return;
        };
        if message.questions.first().map(|question| &question.name) != Some(name) {
            return;
        }
        let is_accepted = message.rcode == 0
            && message.tkey.is_some_and(|tkey| {
                handshake.server(client, tkey.token, cx);
                tkey.error == 0
            });
        if !is_accepted {
            handshake.end(Ending::Refused(None), cx);
            self.agreeing = None;
            return;
        }
        handshake.end(Ending::Accepted, cx);
        cx.keys.learn(
            ends(client, cx),
            name,
            handshake.credentials(),
            cx.limits.max_keys,
            cx.stats,
        );
    }

    /// What the client authenticated with, where the message is signed with a key that was seen
    /// being agreed on.
    fn signer(
        &self,
        client: Side,
        message: &Message<'_>,
        cx: &mut Context<'_>,
    ) -> Option<Arc<Credentials>> {
        let key = message.tsig.as_deref()?;
        cx.keys.credentials(ends(client, cx), key).cloned()
    }

    fn earliest(&self) -> Option<(Timestamp, usize)> {
        let deadlines = self.pending.iter().enumerate();
        deadlines
            .map(|(index, pending)| (pending.deadline, index))
            .min()
    }

    fn keep(&mut self, pending: Pending, cx: &mut Context<'_>) {
        if self.pending.len() >= cx.limits.max_pending
            && let Some(oldest) = self.pending.pop_front()
            && oldest.exchange.is_some()
        {
            cx.stats.drop(Drop::PendingEvicted);
            let moment = cx.moment();
            unanswered(oldest, moment, cx);
        }
        self.pending.push_back(pending);
    }
}

/// A message, and what is known of it beside its content.
struct Received<'a> {
    message: Message<'a>,
    bytes: u32,
    /// Over UDP, of its bytes.
    digest: Digest,
    service: DnsService,
}

/// The name of the key that a message is about, and its record.
fn agreeing<'a, 'b>(message: &'a Message<'b>) -> Option<(&'a str, Tkey<'b>)> {
    let question = message.questions.first()?;
    let tkey = message.tkey?;
    (question.qtype == rtype::TKEY).then_some((&question.name, tkey))
}

fn ends(client: Side, cx: &Context<'_>) -> (IpAddr, IpAddr) {
    (cx.flow.end(client).ip(), cx.flow.end(client.other()).ip())
}

fn unanswered(pending: Pending, moment: Moment, cx: &mut Context<'_>) {
    if let Some(exchange) = pending.exchange {
        cx.emit(moment, pending.client, exchange.ended());
    }
}
