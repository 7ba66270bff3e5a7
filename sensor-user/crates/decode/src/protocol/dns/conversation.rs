//! The exchanges on one flow: each question with its answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use goshawk_model::dns::{DnsService, rtype};
use goshawk_model::{Carrier, Credentials, Timestamp};

use super::message::{self, Message, Tkey};
use super::pending::Exchange;
use super::{read_messages, service, starts_message};
use crate::flow::Side;
use crate::flow::stream::{Progress, Verdict};
use crate::protocol::security::{Ending, Handshake};
use crate::protocol::{self, Context, Entry, Fingerprint, Fingerprints, Waiting};
use crate::stats::{Drop, Protocol};

/// Questions that wait for their answers, and the key that is being agreed on.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    pending: Waiting<Fingerprints, Exchange>,
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
        self.pending.deadline().into_iter().chain(agreed).min()
    }

    fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        if let Some((_, handshake)) = self.agreeing.as_deref_mut() {
            handshake.expire(now, cx);
        }
        self.pending.expire(now, cx);
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        if let Some((_, handshake)) = self.agreeing.as_deref_mut() {
            handshake.close(cx);
        }
        self.pending.close(cx);
    }
}

impl Conversation {
    /// Takes one message, from a datagram or a stream.
    fn message(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) {
        let message = message::parse(bytes);
        let is_whole = message.as_ref().is_some_and(|message| message.is_whole);
        cx.stats.message(Protocol::Dns, is_whole);
        let Some(message) = message else {
            return;
        };
        let received = Received {
            message,
            bytes: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            fingerprint: cx.fingerprint(bytes),
            service: service(&cx.flow).unwrap_or(DnsService::Dns),
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
            fingerprint,
            service,
        } = received;
        let is_same = |it: &Entry<Fingerprints, _>| it.key.asked == fingerprint;
        if fingerprint.is_some() && self.pending.any(client, is_same) {
            return;
        }
        let credentials = self.signer(client, &message, cx);
        self.agree(client, &message, cx);
        let questions = std::mem::take(&mut message.questions);
        let mut asked = |question| {
            let credentials = credentials.clone();
            Exchange::asked(service, question, &mut message, bytes, credentials)
        };
        let key = Fingerprints {
            asked: fingerprint,
            answered: None,
        };
        // Who answers a multicast question does so from another address: on another flow.
        if cx.flow.end(client.other()).ip().is_multicast() {
            for question in questions {
                let moment = cx.moment();
                cx.emit(moment, client, asked(question).ended());
            }
            self.remember(client, key, cx);
            return;
        }
        for question in questions {
            self.pending.ask(client, key, asked(question), cx);
        }
    }

    fn answer(&mut self, client: Side, received: Received<'_>, cx: &mut Context<'_>) {
        let Received {
            mut message,
            bytes,
            fingerprint,
            service,
        } = received;
        let is_same = |it: &Entry<Fingerprints, _>| it.key.answered == fingerprint;
        if fingerprint.is_some() && self.pending.any(client, is_same) {
            return;
        }
        self.agreed(client, &message, cx);
        let fits = |_: &_, exchange: &Exchange| exchange.fits(&message);
        let index = self.pending.open(client, fits).next();
        let Some((index, asked)) =
            index.and_then(|index| Some((index, self.pending.get_mut(index)?)))
        else {
            self.unasked(client, fingerprint, service, message, bytes, cx);
            return;
        };
        let is_over = asked
            .asked
            .as_mut()
            .is_some_and(|exchange| exchange.answer(&mut message, bytes));
        if !is_over {
            self.pending.wait(index, cx.limits.answer_wait, cx);
            return;
        }
        asked.key.answered = fingerprint;
        let exchange = asked.asked.take();
        if cx.is_udp() {
            self.pending.wait(index, LINGER, cx);
        } else {
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
        fingerprint: Option<Fingerprint>,
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
        let key = Fingerprints {
            asked: None,
            answered: fingerprint,
        };
        self.remember(client, key, cx);
    }

    /// What is told already may come again over UDP.
    fn remember(&mut self, client: Side, key: Fingerprints, cx: &mut Context<'_>) {
        if cx.is_udp() {
            self.pending.remember(client, key, LINGER, cx);
        }
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
}

/// A message, and what is known of it beside its content.
struct Received<'a> {
    message: Message<'a>,
    bytes: u32,
    /// Over UDP, of its bytes.
    fingerprint: Option<Fingerprint>,
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
