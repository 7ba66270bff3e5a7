//! The name service on one flow: each request with its answer.

use std::time::Duration;

use goshawk_model::netbios::NameExchange;
use goshawk_model::{Kind, Outcome, Timestamp};

use super::names::{self, Message};
use crate::flow::Side;
use crate::protocol::{self, Context, Draft, Fingerprint, Question, Waiting};
use crate::stats::Protocol;

/// Requests that wait for their answers; for a moment also what was told already, known by the
/// bytes of the request, or of an answer that came alone.
#[derive(Debug, Default)]
pub(crate) struct NameService {
    pending: Waiting<Option<Fingerprint>, NameExchange>,
}

/// How long what was told is remembered to know repetitions: nodes ask three times, a quarter of a
/// second apart (RFC 1002 6.1.2).
const LINGER: Duration = Duration::from_secs(1);

impl protocol::Conversation for NameService {
    fn datagram(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) {
        let message = names::parse(bytes);
        let is_whole = message.as_ref().is_some_and(|message| message.is_whole);
        cx.stats.message(Protocol::Netbios, is_whole);
        let Some(message) = message else { return };
        let fingerprint = cx.fingerprint(bytes);
        let client = if message.is_response {
            side.other()
        } else {
            side
        };
        if self.pending.any(client, |entry| entry.key == fingerprint) {
            return;
        }
        if message.is_response {
            self.answer(client, fingerprint, message, cx);
        } else {
            self.ask(client, fingerprint, message, cx);
        }
    }

    fn is_spent(&self) -> bool {
        self.pending.is_empty()
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.pending.deadline()
    }

    fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        self.pending.expire(now, cx);
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        self.pending.close(cx);
    }
}

impl NameService {
    fn ask(
        &mut self,
        client: Side,
        fingerprint: Option<Fingerprint>,
        message: Message,
        cx: &mut Context<'_>,
    ) {
        let exchange = exchange(message);
        // Who answers what everybody is asked does so on a flow of its own.
        if exchange.broadcast {
            let moment = cx.moment();
            cx.emit(moment, client, exchange.unanswered());
            self.pending.remember(client, fingerprint, LINGER, cx);
        } else {
            self.pending.ask(client, fingerprint, exchange, cx);
        }
    }

    fn answer(
        &mut self,
        client: Side,
        fingerprint: Option<Fingerprint>,
        message: Message,
        cx: &mut Context<'_>,
    ) {
        if message.answer.is_none() {
            return;
        }
        let asks = |_: &_, asked: &NameExchange| asked.id == message.id;
        let index = self.pending.open(client, asks).next();
        let told = index.and_then(|index| {
            self.pending.wait(index, LINGER, cx);
            self.pending.get_mut(index)?.asked.take()
        });
        let exchange = match told {
            Some(asked) => NameExchange {
                answer: message.answer,
                ..asked
            },
            None => exchange(message),
        };
        let moment = cx.moment();
        cx.emit(moment, client, ended(exchange));
        self.pending.remember(client, fingerprint, LINGER, cx);
    }
}

impl Question for NameExchange {
    fn unanswered(self) -> Draft {
        ended(self)
    }
}

fn exchange(message: Message) -> NameExchange {
    NameExchange {
        id: message.id,
        operation: message.operation,
        name: message.name.unwrap_or_default(),
        broadcast: message.is_broadcast,
        asked: !message.is_response,
        registered: message.registered,
        answer: message.answer,
    }
}

fn ended(exchange: NameExchange) -> Draft {
    let outcome = match &exchange.answer {
        Some(answer) if answer.rcode == 0 => Outcome::Success,
        Some(_) => Outcome::Failure,
        None => Outcome::Unknown,
    };
    Draft::new(Kind::Netbios(Box::new(exchange)), outcome)
}
