//! Answers that come before their requests.
//!
//! Where each direction was captured by a clock of its own and the captures are merged, answers may
//! come some milliseconds early. They are held for as long, and no longer: most answers without a
//! request have lost it.

use std::time::Duration;

use goshawk_model::Timestamp;

use super::pending::Asked;
use super::reply::Reply;
use crate::flow::Side;
use crate::protocol::{Context, Few, Fingerprint, Moment};

/// How far the clocks may be apart.
const SKEW: Duration = Duration::from_millis(100);

/// Answers that wait for their requests, the oldest first.
#[derive(Debug, Default)]
pub(super) struct EarlyReplies {
    held: Few<Early>,
    /// Whether a request was answered in order: then the clocks agree.
    is_ordered: bool,
}

/// An answer that waits for its request.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) moment: Moment,
    pub(super) deadline: Timestamp,
    pub(super) client: Side,
    pub(super) fingerprint: Option<Fingerprint>,
    pub(super) reply: Reply,
}

impl EarlyReplies {
    /// A request was answered in order.
    pub(super) fn ordered(&mut self) {
        self.is_ordered = true;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether the answer waits already.
    pub(super) fn has(&self, client: Side, fingerprint: Option<Fingerprint>) -> bool {
        let mut held = self.held.iter();
        held.any(|early| early.client == client && early.fingerprint == fingerprint)
    }

    /// How long a further answer is to be held; `None` if it is of no use to wait.
    pub(super) fn patience(&self, cx: &Context<'_>) -> Option<Duration> {
        let waits = !self.is_ordered && self.held.len() < cx.limits.max_pending;
        waits.then_some(SKEW)
    }

    /// Holds an answer.
    pub(super) fn hold(&mut self, early: Early) {
        self.held.push_back(early);
    }

    /// The answer to a request that comes only now.
    pub(super) fn answer(&mut self, client: Side, asked: &Asked, now: Timestamp) -> Option<Early> {
        let index = self.held.iter().position(|early| {
            early.client == client && now <= early.deadline && asked.fits_early(&early.reply)
        })?;
        self.held.remove(index)
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.held.front().map(|early| early.deadline)
    }

    /// The next answer that has waited until `now`.
    pub(super) fn expired(&mut self, now: Timestamp) -> Option<Early> {
        self.held.pop_front_if(|early| early.deadline <= now)
    }
}
