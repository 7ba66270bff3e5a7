//! Time (RFC 5905) signed for members of a domain ([MS-SNTP]). Other NTP is counted and tells
//! nothing.

mod message;

use std::time::Duration;

use goshawk_model::sntp::SntpExchange;
use goshawk_model::{Kind, Outcome, Timestamp};

use self::message::{Authenticator, Message};
use crate::flow::stream::Verdict;
use crate::flow::{FlowKey, Side};
use crate::limits::Limits;
use crate::protocol::{self, Context, Draft, Question, Waiting};
use crate::stats::Protocol;

const PORT: u16 = 123;
/// How long an answered request is remembered to know repetitions.
const LINGER: Duration = Duration::from_secs(1);

/// Requests that wait for their answers; for a moment also those that were answered. They are known
/// by their time stamp, which answers repeat, and by the key that they ask for.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    pending: Waiting<(u64, Authenticator), Authenticator>,
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
        self.pending.deadline()
    }

    fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        self.pending.expire(now, cx);
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        self.pending.close(cx);
    }
}

impl Conversation {
    fn ask(&mut self, client: Side, message: Message, cx: &mut Context<'_>) {
        let Some(asked) = message.authenticator else {
            return;
        };
        let key = (message.stamp, asked);
        if !self.pending.any(client, |entry| entry.key == key) {
            self.pending.ask(client, key, asked, cx);
        }
    }

    fn answer(&mut self, client: Side, message: Message, cx: &mut Context<'_>) {
        let fits = |(stamp, asked): &(u64, Authenticator)| {
            let is_key =
                |signed: Authenticator| (signed.rid, signed.old_key) == (asked.rid, asked.old_key);
            *stamp == message.stamp && message.authenticator.is_none_or(is_key)
        };
        let signed = message.authenticator.filter(|signed| signed.is_signed);
        let index = self.pending.open(client, |key, _| fits(key)).next();
        let asked = index.and_then(|index| {
            self.pending.wait(index, LINGER, cx);
            self.pending.get_mut(index)?.asked.take()
        });
        let asked = match asked {
            Some(asked) => asked,
            None if self.pending.any(client, |entry| fits(&entry.key)) => return,
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

impl Question for Authenticator {
    fn unanswered(self) -> Draft {
        draft(self, None)
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
