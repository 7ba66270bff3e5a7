//! Tickets that a client presents in binds, until the server has answered them.

use std::collections::VecDeque;

use goshawk_model::kerberos::{ApExchange, Carrier, Ticket};
use goshawk_model::{Confidence, Kind, Outcome, Timestamp};

use crate::flow::Side;
use crate::protocol::{Context, Draft, Moment};
use crate::stats::Drop;

/// The tickets of one connection that wait for their answer, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    presented: VecDeque<Presented>,
}

/// A ticket in a bind, alter_context or auth3.
#[derive(Debug)]
struct Presented {
    moment: Moment,
    deadline: Timestamp,
    client: Side,
    call_id: u32,
    ticket: Ticket,
}

impl Tickets {
    /// When the next one will have waited long enough.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.presented.front().map(|presented| presented.deadline)
    }

    /// A PDU with this id presents a ticket.
    pub(super) fn present(
        &mut self,
        client: Side,
        call_id: u32,
        ticket: Ticket,
        cx: &mut Context<'_>,
    ) {
        if self.presented.len() >= cx.limits.max_pending
            && let Some(oldest) = self.presented.pop_front()
        {
            cx.stats.drop(Drop::PendingEvicted);
            let moment = cx.moment();
            oldest.end(moment, Outcome::Unknown, None, cx);
        }
        self.presented.push_back(Presented {
            moment: cx.moment(),
            deadline: cx.time + cx.limits.answer_wait,
            client,
            call_id,
            ticket,
        });
    }

    /// The server has answered the PDU with this id.
    pub(super) fn settle(
        &mut self,
        client: Side,
        call_id: u32,
        outcome: Outcome,
        error: Option<i32>,
        cx: &mut Context<'_>,
    ) {
        let asked =
            |presented: &Presented| presented.call_id == call_id && presented.client == client;
        if let Some(index) = self.presented.iter().position(asked)
            && let Some(presented) = self.presented.remove(index)
        {
            let moment = cx.moment();
            presented.end(moment, outcome, error, cx);
        }
    }

    /// Ends those that have waited until `now`.
    pub(super) fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        while let Some(presented) = self.presented.pop_front_if(|it| it.deadline <= now) {
            let moment = Moment {
                time: presented.deadline,
                ..presented.moment
            };
            presented.end(moment, Outcome::Unknown, None, cx);
        }
    }

    /// Ends them all: nothing more will come.
    pub(super) fn close(&mut self, cx: &mut Context<'_>) {
        while let Some(presented) = self.presented.pop_front() {
            let moment = cx.moment();
            presented.end(moment, Outcome::Unknown, None, cx);
        }
    }
}

impl Presented {
    fn end(self, moment: Moment, outcome: Outcome, error: Option<i32>, cx: &mut Context<'_>) {
        let exchange = ApExchange {
            ticket: self.ticket,
            carrier: Carrier::Dcerpc,
            error,
        };
        let draft = Draft {
            actor: None,
            client_name: None,
            outcome,
            confidence: Confidence::High,
            kind: Kind::Ap(exchange),
        };
        cx.emit(moment, self.client, draft);
    }
}
