//! What was asked, until it is answered.

use std::sync::Arc;

use goshawk_model::dns::{DnsAnswer, DnsExchange, DnsService, rtype};
use goshawk_model::{Credentials, Kind, Outcome};

use super::message::{self, Authority, Message};
use crate::protocol::{Draft, Question};

/// An exchange under way.
#[derive(Debug)]
pub(super) struct Exchange {
    fact: Box<DnsExchange>,
    /// What the client showed when it agreed on the key that the question names.
    credentials: Option<Arc<Credentials>>,
    /// Whether the server has accepted it and signed that with the same key. A key's name is no
    /// secret: only the answer tells that the signature was right (RFC 8945 5.2, 5.3).
    is_vouched: bool,
    /// Of a zone transfer, which may take several messages.
    authority: Authority,
}

impl Exchange {
    /// `question` of the request `message` of so many bytes.
    pub(super) fn asked(
        service: DnsService,
        question: message::Question,
        message: &mut Message<'_>,
        bytes: u32,
        credentials: Option<Arc<Credentials>>,
    ) -> Self {
        let fact = DnsExchange {
            request_bytes: Some(bytes),
            update: message.update.take(),
            tsig: message.tsig.clone(),
            ..fact(service, question, message)
        };
        Self {
            fact: Box::new(fact),
            credentials,
            is_vouched: false,
            authority: Authority::default(),
        }
    }

    /// The exchange that an answer without its question belonged to.
    pub(super) fn unasked(
        service: DnsService,
        question: message::Question,
        message: &Message<'_>,
    ) -> Self {
        Self {
            fact: Box::new(fact(service, question, message)),
            credentials: None,
            is_vouched: false,
            authority: Authority::default(),
        }
    }

    /// Whether `reply` can be an answer to it. A server that could not read the question may leave
    /// it out, and so do all messages of a zone transfer but the first.
    pub(super) fn fits(&self, reply: &Message<'_>) -> bool {
        let fact = &self.fact;
        fact.id == reply.header.id
            && fact.opcode == reply.header.opcode
            && reply.questions.first().is_none_or(|question| {
                reply.header.counts.questions == 0
                    || question.qtype == fact.qtype && question.name == fact.qname
            })
    }

    /// Takes an answer; returns whether it is the last.
    pub(super) fn answer(&mut self, reply: &mut Message<'_>, bytes: u32) -> bool {
        let room = self.fact.answer.as_ref().map_or(usize::MAX, |answer| {
            KEPT.saturating_sub(answer.records.len())
        });
        self.is_vouched |= reply.rcode == 0 && reply.tsig == self.fact.tsig;
        let answer = self.fact.answer.get_or_insert_default();
        answer.rcode = reply.rcode;
        answer.authoritative = reply.header.authoritative;
        answer.truncated = reply.header.truncated;
        answer.messages = answer.messages.saturating_add(1);
        answer.bytes += u64::from(bytes);
        answer.total = answer.total.saturating_add(reply.answers.total);
        let records = std::mem::take(&mut reply.answers.records);
        if answer.records.is_empty() {
            answer.records = records;
        } else {
            answer.records.extend(records.into_iter().take(room));
        }
        if let Some(longest) = reply.answers.longest
            && answer
                .longest
                .is_none_or(|known| known.length < longest.length)
        {
            answer.longest = Some(longest);
        }
        self.authority = self.authority.and(reply.answers.authority);
        let goes_on = matches!(self.fact.qtype, rtype::AXFR | rtype::IXFR)
            && answer.rcode == 0
            && answer.total > 0
            && !(self.fact.qtype == rtype::IXFR && answer.total == 1)
            && !self.authority.is_complete();
        !goes_on
    }

    /// The activity.
    pub(super) fn ended(self) -> Draft {
        let outcome = match &self.fact.answer {
            Some(answer) if answer.rcode == 0 => Outcome::Success,
            Some(_) => Outcome::Failure,
            None => Outcome::Unknown,
        };
        let draft = Draft::new(Kind::Dns(self.fact), outcome);
        match self.credentials {
            Some(mut credentials) => {
                if credentials.proven && !(self.is_vouched && outcome == Outcome::Success) {
                    Arc::make_mut(&mut credentials).proven = false;
                }
                draft.by(&credentials)
            }
            None => draft,
        }
    }
}

impl Question for Exchange {
    fn unanswered(self) -> Draft {
        self.ended()
    }
}

/// Records kept of all messages of a zone transfer.
const KEPT: usize = 16;

fn fact(service: DnsService, question: message::Question, message: &Message<'_>) -> DnsExchange {
    DnsExchange {
        service,
        id: message.header.id,
        opcode: message.header.opcode,
        recursion_desired: message.header.recursion_desired,
        qname: question.name,
        qtype: question.qtype,
        qclass: question.qclass,
        request_bytes: None,
        update: None,
        tsig: None,
        answer: None::<DnsAnswer>,
    }
}
