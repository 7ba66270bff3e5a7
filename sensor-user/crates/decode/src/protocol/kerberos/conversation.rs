//! The Kerberos exchanges on one flow: each request with its answer.

use std::collections::VecDeque;

use goshawk_model::{Digest, Timestamp};

use super::early::{Early, EarlyReplies};
use super::kpasswd::{self, Framed};
use super::message::{self, Message};
use super::pending::{Asked, Pending, answer_alone};
use super::reply::{Ending, Reply, ReplyKind};
use super::{MARK, read_records, starts_record};
use crate::der;
use crate::flow::Side;
use crate::flow::stream::{Progress, Verdict};
use crate::protocol::{self, Context, Moment};
use crate::stats::{Drop, Protocol};

/// Requests that wait for their answers, the oldest first, and answers that came before them.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    pending: VecDeque<Pending>,
    early: EarlyReplies,
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

    fn read_cut(&mut self, side: Side, head: &[u8], cx: &mut Context<'_>) {
        if let Some((_, message)) = head.split_first_chunk::<MARK>() {
            self.cut_message(side, message, cx);
        }
    }

    fn datagram(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) {
        if message::length(bytes).is_some_and(|length| length > bytes.len()) {
            self.cut_message(side, bytes, cx);
        } else {
            self.message(side, bytes, cx);
        }
    }

    fn is_spent(&self) -> bool {
        self.pending.is_empty() && self.early.is_empty()
    }

    fn deadline(&self) -> Option<Timestamp> {
        let pending = self.pending.front().map(|pending| pending.deadline);
        pending.into_iter().chain(self.early.deadline()).min()
    }

    fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        while let Some(early) = self.early.expired(now) {
            let moment = Moment {
                time: early.deadline,
                ..early.moment
            };
            self.without_request(early, moment, cx);
        }
        while let Some(pending) = self.pending.pop_front_if(|pending| pending.deadline <= now) {
            let moment = Moment {
                time: pending.deadline,
                ..pending.moment
            };
            unanswered(pending, moment, cx);
        }
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        while let Some(early) = self.early.expired(Timestamp::MAX) {
            let moment = cx.moment();
            self.without_request(early, moment, cx);
        }
        while let Some(pending) = self.pending.pop_front() {
            let moment = cx.moment();
            unanswered(pending, moment, cx);
        }
    }
}

impl Conversation {
    /// Takes one message, from a datagram or a record.
    fn message(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) {
        let framed = kpasswd::open(bytes);
        let message = message::parse(framed.map_or(bytes, |framed| framed.message));
        cx.stats.message(Protocol::Kerberos, message.is_some());
        let inner = message.as_ref().map_or(0, Message::inner);
        let private = framed.is_some_and(|framed| framed.has_private);
        for _ in 0..inner + usize::from(private) {
            cx.stats.message(Protocol::Kerberos, true);
        }
        if let Some(message) = message {
            self.take(side, bytes, framed, message, cx);
        }
    }

    /// Takes what there is of a message that the capture, or a lost segment, has cut. What is
    /// missing is no fault of the message.
    fn cut_message(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) {
        if message::length(bytes).is_none() {
            return;
        }
        cx.stats.message(Protocol::Kerberos, true);
        let mended = der::mended(bytes);
        if let Some(message) = message::parse(&mended) {
            self.take(side, bytes, None, message, cx);
        }
    }

    fn take(
        &mut self,
        side: Side,
        bytes: &[u8],
        framed: Option<Framed<'_>>,
        message: Message<'_>,
        cx: &mut Context<'_>,
    ) {
        let digest = match &message {
            // A ticket is as good an identity as all the bytes around it, and known already.
            Message::AsRep(reply) | Message::TgsRep(reply) => reply.ticket.id,
            _ => Digest::of(&[bytes]),
        };
        let asked = match message {
            Message::AsReq(asked) => Asked::initial(asked, digest),
            Message::TgsReq(asked) => Asked::further(asked, digest),
            Message::ApReq(asked) => match framed {
                Some(framed) => Asked::Password(framed.operation, asked),
                None => Asked::Ap(asked),
            },
            reply => {
                if let Some(reply) = Reply::new(reply, framed.is_some()) {
                    self.reply(side.other(), digest, reply, cx);
                }
                return;
            }
        };
        self.request(side, digest, asked, cx);
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
        let mut pending = Pending {
            moment: cx.moment(),
            deadline: cx.time + cx.limits.answer_wait,
            client,
            digest: Some(digest),
            asked: None,
            answered: None,
        };
        let Some(early) = self.early.answer(client, &asked, cx.time) else {
            pending.asked = Some(asked);
            self.keep(pending, cx);
            return;
        };
        cx.emit(pending.moment, client, asked.ended(early.reply.ending));
        if cx.is_udp() {
            pending.answered = Some(early.digest);
            self.keep(pending, cx);
        }
    }

    fn reply(&mut self, client: Side, digest: Digest, reply: Reply, cx: &mut Context<'_>) {
        if !cx.may_be_client(client) || cx.is_udp() && self.repeats(client, digest, &reply) {
            return;
        }
        let answers = |pending: &Pending| {
            let asked = pending.asked.as_ref();
            pending.client == client && asked.is_some_and(|asked| asked.fits(&reply))
        };
        let found = if cx.is_udp() {
            self.pending.iter().rposition(answers)
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
        if let Some(asked) = asked {
            self.early.ordered();
            let moment = cx.moment();
            cx.emit(moment, client, asked.ended(reply.ending));
        } else {
            let patience = self.early.patience(cx);
            let moment = cx.moment();
            let early = Early {
                moment,
                deadline: cx.time + patience.unwrap_or_default(),
                client,
                digest,
                reply,
            };
            if patience.is_some() {
                self.early.hold(early);
            } else {
                self.without_request(early, moment, cx);
            }
        }
        if let Some(index) = found.filter(|_| !cx.is_udp()) {
            self.pending.remove(index);
        }
    }

    /// Whether an answer over UDP is one that was seen before.
    fn repeats(&self, client: Side, digest: Digest, reply: &Reply) -> bool {
        let is_same =
            |pending: &Pending| pending.client == client && pending.answered == Some(digest);
        if self.early.has(client, digest) || self.pending.iter().any(is_same) {
            return true;
        }
        // Asked twice, a KDC may refuse twice, and the second time in other bytes.
        let refused_before = |pending: &Pending| {
            pending.client == client && pending.is_request() && pending.answered.is_some()
        };
        let asked_anew = |pending: &Pending| pending.client == client && pending.asked.is_some();
        reply.kind == ReplyKind::Error
            && !self.pending.iter().any(asked_anew)
            && self.pending.iter().any(refused_before)
    }

    /// Tells of an answer whose request does not come.
    fn without_request(&mut self, early: Early, moment: Moment, cx: &mut Context<'_>) {
        let client = early.client;
        if let Some(draft) = answer_alone(early.reply) {
            cx.emit(moment, client, draft);
        }
        if cx.is_udp() {
            let pending = Pending {
                moment,
                deadline: early.deadline + cx.limits.answer_wait,
                client,
                digest: None,
                asked: None,
                answered: Some(early.digest),
            };
            self.keep(pending, cx);
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
