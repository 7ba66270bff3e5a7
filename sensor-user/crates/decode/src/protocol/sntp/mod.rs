//! Time (RFC 5905) signed for members of a domain ([MS-SNTP]). Other NTP is counted and tells
//! nothing.

mod message;

use std::collections::VecDeque;
use std::time::Duration;

use goshawk_model::sntp::SntpExchange;
use goshawk_model::{Kind, Outcome, Timestamp};

use self::message::{Authenticator, Message};
use crate::flow::stream::Verdict;
use crate::flow::{FlowKey, Side};
use crate::limits::Limits;
use crate::protocol::{self, Context, Draft, Moment};
use crate::stats::{Drop, Protocol};

const PORT: u16 = 123;
/// How long an answered request is remembered to know repetitions.
const LINGER: Duration = Duration::from_secs(1);

/// Requests that wait for their answers; for a moment also those that were answered.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    pending: VecDeque<Pending>,
}

#[derive(Debug)]
struct Pending {
    moment: Moment,
    deadline: Timestamp,
    client: Side,
    stamp: u64,
    asked: Authenticator,
    is_answered: bool,
}

/// Whether a UDP datagram is of NTP, whose bytes say so little that the port must too.
pub(crate) fn tells_datagram(bytes: &[u8], flow: &FlowKey, _limits: &Limits) -> Verdict {
    if flow.has_port(PORT) && message::starts(bytes) {
        Verdict::Yes
    } else {
        Verdict::No
    }
}

impl protocol::Conversation for Conversation {
    fn datagram(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) {
        cx.stats.message(Protocol::Sntp, true);
        match message::parse(bytes) {
            Some(message) if message.is_request => self.ask(side, message, cx),
            Some(message) => self.answer(side.other(), message, cx),
            None => {}
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
                unanswered(&pending, moment, cx);
            }
        }
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        while let Some(pending) = self.pending.pop_front() {
            let moment = cx.moment();
            unanswered(&pending, moment, cx);
        }
    }
}

impl Conversation {
    fn ask(&mut self, client: Side, message: Message, cx: &mut Context<'_>) {
        let Some(asked) = message.authenticator else {
            return;
        };
        let repeated = |pending: &Pending| {
            (pending.client, pending.stamp, pending.asked) == (client, message.stamp, asked)
        };
        if self.pending.iter().any(repeated) {
            return;
        }
        if self.pending.len() >= cx.limits.max_pending
            && let Some(oldest) = self.pending.pop_front()
            && !oldest.is_answered
        {
            cx.stats.drop(Drop::PendingEvicted);
            let moment = cx.moment();
            unanswered(&oldest, moment, cx);
        }
        self.pending.push_back(Pending {
            moment: cx.moment(),
            deadline: cx.time + cx.limits.answer_wait,
            client,
            stamp: message.stamp,
            asked,
            is_answered: false,
        });
    }

    fn answer(&mut self, client: Side, message: Message, cx: &mut Context<'_>) {
        let fits = |pending: &Pending| {
            let is_key = |signed: Authenticator| {
                let asked = pending.asked;
                (signed.rid, signed.old_key) == (asked.rid, asked.old_key)
            };
            pending.client == client
                && pending.stamp == message.stamp
                && message.authenticator.is_none_or(is_key)
        };
        let signed = message.authenticator.filter(|signed| signed.is_signed);
        let is_repeated = self.pending.iter().any(fits);
        let mut waiting = self.pending.iter_mut().filter(|pending| fits(pending));
        let asked = match waiting.find(|pending| !pending.is_answered) {
            Some(pending) => {
                pending.is_answered = true;
                pending.deadline = cx.time + LINGER;
                pending.asked
            }
            None if is_repeated => return,
            // The request was not seen, and the signature tells whose key was asked for.
            None => match signed {
                Some(signed) => signed,
                None => return,
            },
        };
        let moment = cx.moment();
        cx.emit(moment, client, draft(asked, Some(signed.is_some())));
    }
}

fn unanswered(pending: &Pending, moment: Moment, cx: &mut Context<'_>) {
    if !pending.is_answered {
        cx.emit(moment, pending.client, draft(pending.asked, None));
    }
}

fn draft(asked: Authenticator, signed: Option<bool>) -> Draft {
    let outcome = match signed {
        Some(true) => Outcome::Success,
        Some(false) => Outcome::Failure,
        None => Outcome::Unknown,
    };
    let exchange = SntpExchange {
        rid: asked.rid,
        old_key: asked.old_key,
        form: asked.form,
        signed,
    };
    Draft::new(Kind::Sntp(exchange), outcome)
}
