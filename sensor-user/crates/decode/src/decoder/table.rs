//! All flows of a decoder, within their bounds.

use std::collections::BTreeSet;

use goshawk_model::Timestamp;
use lru::LruCache;

use super::connection::{Connection, Shared};
use super::{Decoded, Stamp};
use crate::flow::FlowKey;
use crate::protocol::Context;
use crate::stats::Drop;

/// Two tables, so that a port scan or a backup among the strangers cannot push out conversations,
/// and a clock for what waits.
pub(super) struct Table {
    /// Flows that are decoded.
    conversations: LruCache<FlowKey, Connection>,
    /// Connections not recognised yet, of no interest, or over.
    strangers: LruCache<FlowKey, Connection>,
    /// The deadlines of both, one at most for each.
    timers: BTreeSet<(Timestamp, FlowKey)>,
    /// Bytes held by both.
    held: usize,
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            conversations: LruCache::unbounded(),
            strangers: LruCache::unbounded(),
            timers: BTreeSet::new(),
            held: 0,
        }
    }

    /// Lets `packet` work on the flow `key`, which is made if it is not known and `create`.
    pub(super) fn with(
        &mut self,
        key: FlowKey,
        create: bool,
        stamp: Stamp,
        shared: &mut Shared,
        out: &mut Vec<Decoded>,
        packet: impl FnOnce(&mut Connection, &mut Context<'_>),
    ) {
        let known = match self.conversations.get_mut(&key) {
            Some(connection) => Some((connection, true)),
            None => {
                if create {
                    self.strangers.get_or_insert_mut(key, Connection::default);
                }
                self.strangers
                    .get_mut(&key)
                    .map(|connection| (connection, false))
            }
        };
        let Some((connection, was_conversation)) = known else {
            return;
        };
        let held = connection.held();
        if connection.timer.is_some_and(|due| due <= stamp.time) {
            connection.expire(key, stamp.time, shared, out);
        }
        connection.touched = connection.touched.max(stamp.time);
        packet(connection, &mut shared.context(key, stamp, out));
        self.held = (self.held + connection.held()).saturating_sub(held);
        rearm(&mut self.timers, key, connection, shared);
        if connection.is_conversation() != was_conversation {
            self.resettle(key, was_conversation);
        }
        self.make_room(stamp, shared, out);
    }

    /// Ends what has waited until `now`, and forgets flows that have been silent for too long.
    pub(super) fn expire(&mut self, now: Timestamp, shared: &mut Shared, out: &mut Vec<Decoded>) {
        while let Some(&(due, key)) = self.timers.first() {
            if due > now {
                break;
            }
            self.timers.remove(&(due, key));
            let (connection, was_conversation) = match self.conversations.peek_mut(&key) {
                Some(connection) => (connection, true),
                None => match self.strangers.peek_mut(&key) {
                    Some(connection) => (connection, false),
                    None => continue,
                },
            };
            connection.timer = None;
            let held = connection.held();
            connection.expire(key, now, shared, out);
            self.held = (self.held + connection.held()).saturating_sub(held);
            rearm(&mut self.timers, key, connection, shared);
            if connection.is_spent() {
                // A client of UDP takes a new port for each request.
                self.conversations.pop(&key);
            } else if connection.is_conversation() != was_conversation {
                self.resettle(key, was_conversation);
            }
        }
        let idle = shared.limits.idle;
        for flows in [&mut self.conversations, &mut self.strangers] {
            while flows
                .peek_lru()
                .is_some_and(|(_, connection)| connection.touched + idle <= now)
            {
                let Some((key, mut connection)) = flows.pop_lru() else {
                    break;
                };
                self.held = self.held.saturating_sub(connection.held());
                disarm(&mut self.timers, key, &connection);
                connection.expire(key, Timestamp::MAX, shared, out);
            }
        }
    }

    /// Ends everything.
    pub(super) fn finish(&mut self, shared: &mut Shared, out: &mut Vec<Decoded>) {
        for flows in [&mut self.conversations, &mut self.strangers] {
            while let Some((key, mut connection)) = flows.pop_lru() {
                connection.expire(key, Timestamp::MAX, shared, out);
            }
        }
        self.timers.clear();
        self.held = 0;
    }

    /// Moves a flow to the table where it belongs now.
    fn resettle(&mut self, key: FlowKey, was_conversation: bool) {
        let (from, to) = if was_conversation {
            (&mut self.conversations, &mut self.strangers)
        } else {
            (&mut self.strangers, &mut self.conversations)
        };
        if let Some(connection) = from.pop(&key) {
            to.put(key, connection);
        }
    }

    fn make_room(&mut self, stamp: Stamp, shared: &mut Shared, out: &mut Vec<Decoded>) {
        let limits = &shared.limits;
        let (max_conversations, max_strangers) = (limits.max_conversations, limits.max_strangers);
        let max_held = limits.max_buffered;
        loop {
            let too_much = self.held > max_held;
            // Strangers go first: they hold bytes only for the chance to be recognised.
            let evicted =
                if self.strangers.len() > max_strangers || too_much && self.strangers.len() > 1 {
                    self.strangers.pop_lru()
                } else if self.conversations.len() > max_conversations || too_much {
                    self.conversations.pop_lru()
                } else {
                    None
                };
            let Some((key, mut connection)) = evicted else {
                return;
            };
            if connection.is_conversation() || connection.held() > 0 {
                shared.stats.drop(Drop::FlowEvicted);
            }
            self.held = self.held.saturating_sub(connection.held());
            disarm(&mut self.timers, key, &connection);
            connection.close(&mut shared.context(key, stamp, out));
        }
    }
}

/// Sees to it that the connection is woken at its next deadline.
fn rearm(
    timers: &mut BTreeSet<(Timestamp, FlowKey)>,
    key: FlowKey,
    connection: &mut Connection,
    shared: &Shared,
) {
    let due = connection.deadline(&shared.limits);
    if due == connection.timer {
        return;
    }
    disarm(timers, key, connection);
    connection.timer = due;
    if let Some(due) = due {
        timers.insert((due, key));
    }
}

fn disarm(timers: &mut BTreeSet<(Timestamp, FlowKey)>, key: FlowKey, connection: &Connection) {
    if let Some(due) = connection.timer {
        timers.remove(&(due, key));
    }
}
