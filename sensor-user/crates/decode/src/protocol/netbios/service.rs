//! The name service on one flow: each request with its answer.

use std::collections::VecDeque;
use std::time::Duration;

use goshawk_model::netbios::NameExchange;
use goshawk_model::{Digest, Kind, Outcome, Timestamp};

use super::names::{self, Message};
use crate::flow::Side;
use crate::protocol::{self, Context, Draft, Moment};
use crate::stats::{Drop, Protocol};

/// Requests that wait for their answers; for a moment also what was told already.
#[derive(Debug, Default)]
pub(crate) struct NameService {
    pending: VecDeque<Pending>,
}

#[derive(Debug)]
struct Pending {
    moment: Moment,
    deadline: Timestamp,
    client: Side,
    /// Of the bytes of a request, or of an answer that came alone.
    digest: Digest,
    /// `None` once told.
    exchange: Option<NameExchange>,
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
        let digest = Digest::of(&[bytes]);
        if self.pending.iter().any(|pending| pending.digest == digest) {
            return;
        }
        if message.is_response {
            self.answer(side.other(), digest, message, cx);
        } else {
            self.ask(side, digest, message, cx);
        }
    }

    fn is_spent(&self) -> bool {
        self.pending.is_empty()
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.pending.iter().map(|pending| pending.deadline).min()
    }

    fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        while let Some(due) = self.deadline().filter(|&due| due <= now) {
            let at_deadline = |pending: &Pending| pending.deadline == due;
            let index = self.pending.iter().position(at_deadline);
            if let Some(pending) = index.and_then(|index| self.pending.remove(index)) {
                let moment = Moment {
                    time: due,
                    ..pending.moment
                };
                unanswered(pending, moment, cx);
            }
        }
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        while let Some(pending) = self.pending.pop_front() {
            let moment = cx.moment();
            unanswered(pending, moment, cx);
        }
    }
}

impl NameService {
    fn ask(&mut self, client: Side, digest: Digest, message: Message, cx: &mut Context<'_>) {
        let moment = cx.moment();
        let exchange = exchange(message);
        // Who answers what everybody is asked does so on a flow of its own.
        let (wait, exchange) = if exchange.broadcast {
            cx.emit(moment, client, ended(exchange));
            (LINGER, None)
        } else {
            (cx.limits.answer_wait, Some(exchange))
        };
        self.keep(
            Pending {
                moment,
                deadline: cx.time + wait,
                client,
                digest,
                exchange,
            },
            cx,
        );
    }

    fn answer(&mut self, client: Side, digest: Digest, message: Message, cx: &mut Context<'_>) {
        if message.answer.is_none() {
            return;
        }
        let asked = self.pending.iter_mut().find(|pending| {
            let exchange = pending.exchange.as_ref();
            pending.client == client && exchange.is_some_and(|exchange| exchange.id == message.id)
        });
        let moment = cx.moment();
        let told = asked.and_then(|pending| {
            pending.deadline = cx.time + LINGER;
            pending.exchange.take()
        });
        let exchange = match told {
            Some(asked) => NameExchange {
                answer: message.answer,
                ..asked
            },
            None => exchange(message),
        };
        cx.emit(moment, client, ended(exchange));
        self.keep(
            Pending {
                moment,
                deadline: cx.time + LINGER,
                client,
                digest,
                exchange: None,
            },
            cx,
        );
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

fn unanswered(pending: Pending, moment: Moment, cx: &mut Context<'_>) {
    if let Some(exchange) = pending.exchange {
        cx.emit(moment, pending.client, ended(exchange));
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
