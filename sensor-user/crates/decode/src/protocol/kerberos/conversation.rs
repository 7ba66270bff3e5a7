//! The Kerberos exchanges on one flow: each request with its answer.

use std::collections::VecDeque;

use goshawk_model::{Digest, Timestamp};

use super::message::{self, Message};
use super::pending::{Asked, Ending, Pending, answer_alone};
use super::{kpasswd, read_records, starts_record};
use crate::flow::Side;
use crate::flow::stream::{Progress, Verdict};
use crate::protocol::{self, Context, Moment};
use crate::stats::{Drop, Protocol};

/// Requests that wait for their answers, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    pending: VecDeque<Pending>,
}

impl protocol::Conversation for Conversation {
    fn starts_message(&self, bytes: &[u8], cx: &Context<'_>) -> Verdict {
        starts_record(bytes, cx.limits.max_message)
    }

    fn read(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) -> Progress {
        let max_message = cx.limits.max_message;
        let progress = read_records(bytes, max_message, |record| self.message(side, record, cx));
        if progress == Progress::Astray {
            cx.stats.drop(Drop::LongMessage);
        }
        progress
    }

    fn datagram(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) {
        self.message(side, bytes, cx);
    }

    fn is_spent(&self) -> bool {
        self.pending.is_empty()
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.pending.front().map(|pending| pending.deadline)
    }

    fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        while let Some(pending) = self.pending.pop_front_if(|pending| pending.deadline <= now) {
            let moment = Moment {
                time: pending.deadline,
                ..pending.moment
            };
            unanswered(pending, moment, cx);
        }
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        while let Some(pending) = self.pending.pop_front() {
            let moment = cx.moment();
            unanswered(pending, moment, cx);
        }
    }
}

impl Conversation {
    /// Takes one message, from a datagram or a record.
    fn message(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) {
        let message = message::parse(kpasswd::message(bytes).unwrap_or(bytes));
        cx.stats.message(Protocol::Kerberos, message.is_some());
        let Some(message) = message else { return };
        let digest = match &message {
            // A ticket is as good an identity as all the bytes around it, and known already.
            Message::AsRep(reply) | Message::TgsRep(reply) => reply.ticket.id,
            _ => Digest::of(&[bytes]),
        };
        match message {
            Message::AsReq(asked) => {
                self.request(side, digest, Asked::initial(asked, digest), cx);
            }
            Message::TgsReq(asked) => {
                self.request(side, digest, Asked::further(asked, digest), cx);
            }
            Message::ApReq(ticket) => self.request(side, digest, Asked::Ap(ticket), cx),
            reply => self.reply(side.other(), digest, reply, cx),
        }
    }

    fn request(&mut self, client: Side, digest: Digest, asked: Asked, cx: &mut Context<'_>) {
        if !cx.may_be_client(client) {
            return;
        }
        // A client that hears nothing sends the same bytes again, and a mirror port may show every
        // packet twice. TCP has taken repetitions out already.
        let repeated =
            |pending: &Pending| pending.digest == Some(digest) && pending.client == client;
        if cx.is_udp() && self.pending.iter().any(repeated) {
            return;
        }
        let moment = cx.moment();
        self.keep(
            Pending {
                moment,
                deadline: cx.time + cx.limits.answer_wait,
                client,
                digest: Some(digest),
                asked: Some(asked),
                answered: None,
            },
            cx,
        );
    }

    fn reply(&mut self, client: Side, digest: Digest, reply: Message<'_>, cx: &mut Context<'_>) {
        if !cx.may_be_client(client) {
            return;
        }
        let answers = |pending: &Pending| {
            pending.client == client
                && pending
                    .asked
                    .as_ref()
                    .is_some_and(|asked| asked.fits(&reply))
        };
        let found = if cx.is_udp() {
            let repeated =
                |pending: &Pending| pending.client == client && pending.answered == Some(digest);
            if self.pending.iter().any(repeated) {
                return;
            }
            let newest = self.pending.iter().rposition(answers);
            // Asked twice, a KDC may refuse twice, and the second time in other bytes.
            let refused_before = |pending: &Pending| {
                pending.client == client && pending.is_request() && pending.answered.is_some()
            };
            if newest.is_none()
                && matches!(reply, Message::Error(_))
                && self.pending.iter().any(refused_before)
            {
                return;
            }
            newest
        } else {
            // A KDC answers the requests on a connection in their order.
            self.pending.iter().position(answers)
        };
        let asked = found
            .and_then(|index| self.pending.get_mut(index))
            .and_then(|pending| {
                pending.answered = Some(digest);
                pending.asked.take()
            });
        let moment = cx.moment();
        let draft = match (asked, reply) {
            (Some(asked), Message::AsRep(reply) | Message::TgsRep(reply)) => {
                Some(asked.ended(Ending::Issued(reply)))
            }
            (Some(asked), Message::Error(error)) => Some(asked.ended(Ending::Refused(error))),
            (Some(asked), _) => Some(asked.ended(Ending::Accepted)),
            (None, reply) => answer_alone(reply),
        };
        if let Some(draft) = draft {
            cx.emit(moment, client, draft);
        }
        match found {
            Some(index) if !cx.is_udp() => {
                self.pending.remove(index);
            }
            None if cx.is_udp() => self.keep(
                Pending {
                    moment,
                    deadline: cx.time + cx.limits.answer_wait,
                    client,
                    digest: None,
                    asked: None,
                    answered: Some(digest),
                },
                cx,
            ),
            _ => {}
        }
    }

    fn keep(&mut self, pending: Pending, cx: &mut Context<'_>) {
        if self.pending.len() >= cx.limits.max_pending
            && let Some(oldest) = self.pending.pop_front()
        {
            cx.stats.drop(Drop::PendingEvicted);
            let moment = cx.moment();
            unanswered(oldest, moment, cx);
        }
        self.pending.push_back(pending);
    }
}

fn unanswered(pending: Pending, moment: Moment, cx: &mut Context<'_>) {
    if let Some(asked) = pending.asked {
        cx.emit(moment, pending.client, asked.ended(Ending::Unseen));
    }
}
