//! The Kerberos exchanges on one flow: each request with its answer.

use goshawk_model::{Digest, Timestamp};

use super::early::{Early, EarlyReplies};
use super::kpasswd::{self, Framed};
use super::message::{self, Message};
use super::pending::{Asked, answer_alone};
use super::reply::{Reply, ReplyKind};
use super::{MARK, read_records, starts_record};
use crate::der;
use crate::flow::Side;
use crate::flow::stream::{Progress, Verdict};
use crate::protocol::{self, Context, Entry, Fingerprint, Fingerprints, Moment, Waiting};
use crate::stats::{Drop, Protocol};

/// Requests that wait for their answers, the oldest first, and answers that came before them.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    pending: Waiting<Fingerprints, Asked>,
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
        let deadlines = [self.pending.deadline(), self.early.deadline()];
        deadlines.into_iter().flatten().min()
    }

    fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        while let Some(early) = self.early.expired(now) {
            let moment = Moment {
                time: early.deadline,
                ..early.moment
            };
            self.without_request(early, moment, cx);
        }
        self.pending.expire(now, cx);
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        while let Some(early) = self.early.expired(Timestamp::MAX) {
            let moment = cx.moment();
            self.without_request(early, moment, cx);
        }
        self.pending.close(cx);
    }
}

impl Conversation {
    /// Takes one message, from a datagram or a record.
    fn message(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) {
        let framed = kpasswd::open(bytes);
        let message = message::parse(framed.map_or(bytes, |framed| framed.message), cx.keytab);
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
        if let Some(message) = message::parse(&mended, cx.keytab) {
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
        let fingerprint = cx.fingerprint(bytes);
        let asked = match message {
            Message::AsReq(asked) => Asked::initial(asked, Digest::of(&[bytes])),
            Message::TgsReq(asked) => {
                let digest = asked.proof.unwrap_or_else(|| Digest::of(&[bytes]));
                Asked::further(asked, digest)
            }
            Message::ApReq(asked) => match framed {
                Some(framed) => Asked::Password(framed.operation, asked),
                None => Asked::Ap(asked),
            },
            reply => {
                if let Some(reply) = Reply::new(reply, framed.is_some()) {
                    self.reply(side.other(), fingerprint, reply, cx);
                }
                return;
            }
        };
        self.request(side, fingerprint, asked, cx);
    }

    fn request(
        &mut self,
        client: Side,
        fingerprint: Option<Fingerprint>,
        asked: Asked,
        cx: &mut Context<'_>,
    ) {
        if !cx.may_be_client(client) {
            return;
        }
        let is_same = |it: &Entry<Fingerprints, _>| it.key.asked == fingerprint;
        if fingerprint.is_some() && self.pending.any(client, is_same) {
            return;
        }
        let key = Fingerprints {
            asked: fingerprint,
            answered: None,
        };
        let Some(early) = self.early.answer(client, &asked, cx.time) else {
            self.pending.ask(client, key, asked, cx);
            return;
        };
        let moment = cx.moment();
        cx.emit(moment, client, asked.ended(early.reply.ending));
        if cx.is_udp() {
            let answered = early.fingerprint;
            self.remember(client, Fingerprints { answered, ..key }, cx);
        }
    }

    fn reply(
        &mut self,
        client: Side,
        fingerprint: Option<Fingerprint>,
        reply: Reply,
        cx: &mut Context<'_>,
    ) {
        if !cx.may_be_client(client)
            || fingerprint.is_some() && self.repeats(client, fingerprint, &reply)
        {
            return;
        }
        let mut fitting = self.pending.open(client, |_, asked| asked.fits(&reply));
        let found = if cx.is_udp() {
            fitting.next_back()
        } else {
            // A KDC answers the requests on a connection in their order.
            fitting.next()
        };
        drop(fitting);
        let asked = found
            .and_then(|index| self.pending.get_mut(index))
            .and_then(|entry| {
                entry.key.answered = fingerprint;
                entry.asked.take()
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
                fingerprint,
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
    fn repeats(&self, client: Side, fingerprint: Option<Fingerprint>, reply: &Reply) -> bool {
        let is_same = |it: &Entry<Fingerprints, Asked>| it.key.answered == fingerprint;
        if self.early.has(client, fingerprint) || self.pending.any(client, is_same) {
            return true;
        }
        // Asked twice, a KDC may refuse twice, and the second time in other bytes.
        let refused_before =
            |it: &Entry<Fingerprints, Asked>| it.key.asked.is_some() && it.key.answered.is_some();
        reply.kind == ReplyKind::Error
            && !self.pending.any(client, |it| it.asked.is_some())
            && self.pending.any(client, refused_before)
    }

    /// Tells of an answer whose request does not come.
    fn without_request(&mut self, early: Early, moment: Moment, cx: &mut Context<'_>) {
        let client = early.client;
        if let Some(draft) = answer_alone(early.reply) {
            cx.emit(moment, client, draft);
        }
        if cx.is_udp() {
            let key = Fingerprints {
                asked: None,
                answered: early.fingerprint,
            };
            self.remember(client, key, cx);
        }
    }

    /// What is told already may come again.
    fn remember(&mut self, client: Side, key: Fingerprints, cx: &mut Context<'_>) {
        self.pending
            .remember(client, key, cx.limits.answer_wait, cx);
    }
}
