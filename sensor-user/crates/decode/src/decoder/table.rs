//! All flows of a decoder, within their bounds.

use std::collections::BTreeSet;

use goshawk_model::Timestamp;

use super::connection::{Connection, Shared};
use super::flows::{Class, Flows, Place};
use super::{Decoded, Stamp};
use crate::flow::FlowKey;
use crate::protocol::Context;
use crate::stats::Drop;

/// The flows in classes, for what anybody could fill: a port scan or a backup among the strangers,
/// or questions over UDP under forged addresses, cannot push out conversations. And a clock for what
/// waits.
pub(super) struct Table {
    flows: Flows,
    /// The deadlines of all, one at most for each.
    timers: BTreeSet<(Timestamp, Place)>,
    /// Bytes held by all.
    held: usize,
    /// How far time has passed.
    now: Timestamp,
}

/// In the order in which their silent flows are forgotten.
const CLASSES: [Class; 3] = [Class::Conversation, Class::Datagrams, Class::Stranger];

impl Table {
    pub(super) fn new() -> Self {
        Self {
            flows: Flows::new(),
            timers: BTreeSet::new(),
            held: 0,
            now: Timestamp::ZERO,
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
        let new = if key.is_udp() {
            Class::Datagrams
        } else {
            Class::Stranger
        };
        let place = match self.flows.find(&key) {
            Some(place) => place,
            None if create => self.flows.insert(key, new),
            None => return,
        };
        let Some((_, connection)) = self.flows.get(place) else {
            return;
        };
        let held = connection.held();
        if connection.timer().is_some_and(|due| due <= stamp.time) {
            connection.expire(key, stamp.time, shared, out);
        }
        connection.touch(stamp);
        packet(connection, &mut shared.context(key, stamp, out));
        if let Some(shunts) = &mut shared.shunts
            && connection.asks_for_shunt()
        {
            shunts.ask(key);
        }
        self.held = (self.held + connection.held()).saturating_sub(held);
        rearm(&mut self.timers, place, connection, shared);
        let class = class_of(key, connection);
        self.flows.settle(place, class);
        self.make_room(stamp, shared, out);
    }

    /// Ends what has waited until `now`, and forgets flows that have been silent for too long.
    pub(super) fn expire(&mut self, now: Timestamp, shared: &mut Shared, out: &mut Vec<Decoded>) {
        self.now = now;
        while let Some(&(_, place)) = self.timers.first().filter(|(due, _)| *due <= now) {
            self.timers.pop_first();
            let Some((key, connection)) = self.flows.get(place) else {
                continue;
            };
            connection.set_timer(None);
            let held = connection.held();
            connection.expire(key, now, shared, out);
            self.held = (self.held + connection.held()).saturating_sub(held);
            rearm(&mut self.timers, place, connection, shared);
            let (class, is_spent) = (class_of(key, connection), connection.is_spent());
            if is_spent {
                // A client of UDP takes a new port for each request.
                self.remove(place);
            } else if self.flows.class(place) != Some(class) {
                self.flows.settle(place, class);
            }
        }
        let idle = shared.limits.idle;
        for class in CLASSES {
            while let Some(place) = self.flows.oldest(class)
                && let Some((_, connection)) = self.flows.get(place)
                && connection.touched + idle <= now
                && let Some((key, mut connection)) = self.remove(place)
            {
                connection.forget(key, connection.touched + idle, shared, out);
            }
        }
    }

    /// Ends everything.
    pub(super) fn finish(&mut self, shared: &mut Shared, out: &mut Vec<Decoded>) {
        for class in CLASSES {
            while let Some(place) = self.flows.oldest(class)
                && let Some((key, mut connection)) = self.flows.remove(place)
            {
                connection.forget(key, connection.touched.max(self.now), shared, out);
            }
        }
        self.timers.clear();
        self.held = 0;
    }

    fn make_room(&mut self, stamp: Stamp, shared: &mut Shared, out: &mut Vec<Decoded>) {
        let limits = &shared.limits;
        let (max_conversations, max_strangers) = (limits.max_conversations, limits.max_strangers);
        let (max_datagram_flows, max_held) = (limits.max_datagram_flows, limits.max_buffered);
        loop {
            let too_much = self.held > max_held;
            let strangers = self.flows.count(Class::Stranger);
            // Strangers go first: they hold bytes only for the chance to be recognised.
            let class = if strangers > max_strangers || too_much && strangers > 1 {
                Class::Stranger
            } else if self.flows.count(Class::Datagrams) > max_datagram_flows {
                Class::Datagrams
            } else if self.flows.count(Class::Conversation) > max_conversations || too_much {
                Class::Conversation
            } else {
                return;
            };
            let oldest = self.flows.oldest(class);
            let Some((key, mut connection)) = oldest.and_then(|place| self.remove(place)) else {
                return;
            };
            if key.is_udp() {
                shared.stats.drop(Drop::DatagramFlowEvicted);
            } else if connection.is_conversation() || connection.held() > 0 {
                shared.stats.drop(Drop::FlowEvicted);
            }
            connection.close(&mut shared.context(key, stamp, out));
        }
    }

    /// Takes a flow out, with its timer and what it holds.
    fn remove(&mut self, place: Place) -> Option<(FlowKey, Connection)> {
        let (key, connection) = self.flows.remove(place)?;
        self.held = self.held.saturating_sub(connection.held());
        disarm(&mut self.timers, place, &connection);
        Some((key, connection))
    }
}

/// Where a flow belongs.
fn class_of(key: FlowKey, connection: &Connection) -> Class {
    if key.is_udp() {
        Class::Datagrams
    } else if connection.is_conversation() {
        Class::Conversation
    } else {
        Class::Stranger
    }
}

/// Sees to it that the connection is woken at its next deadline. A call that comes too early may
/// stand: deadlines move on with nearly every packet, and who is woken for nothing is called anew.
fn rearm(
    timers: &mut BTreeSet<(Timestamp, Place)>,
    place: Place,
    connection: &mut Connection,
    shared: &Shared,
) {
    let Some(due) = connection.deadline(&shared.limits) else {
        return;
    };
    if connection.timer().is_some_and(|armed| armed <= due) {
        return;
    }
    disarm(timers, place, connection);
    connection.set_timer(Some(due));
    timers.insert((due, place));
}

fn disarm(timers: &mut BTreeSet<(Timestamp, Place)>, place: Place, connection: &Connection) {
    if let Some(due) = connection.timer() {
        timers.remove(&(due, place));
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;
    use std::time::Duration;

    use goshawk_model::Transport;

    use super::*;
    use crate::decoder::connection::Flags;
    use crate::flow::Side;
    use crate::flow::stream::Segment;
    use crate::limits::Limits;
    use crate::protocol;

    const START: Timestamp = Timestamp::from_parts(1_772_359_200, 0);
    /// A request of opnum 3, which makes a flow a conversation with something pending.
    const REQUEST: [u8; 24] = [
        5, 0, 0, 3, 0x10, 0, 0, 0, 24, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0,
    ];

    /// A question of DNS for the address of `a`.
    const QUESTION: [u8; 19] = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1];

    struct Bench {
        table: Table,
        shared: Shared,
        out: Vec<Decoded>,
        now: Timestamp,
    }

    impl Bench {
        fn new(limits: Limits) -> Self {
            Self {
                table: Table::new(),
                shared: Shared::new(Arc::from("test"), limits),
                out: Vec::new(),
                now: START,
            }
        }

        /// A segment from the client with this port, whose flow is made if need be.
        fn segment(&mut self, port: u16, sequence: u32, syn: bool, data: &[u8]) {
            self.now = self.now + Duration::from_millis(1);
            let stamp = Stamp {
                time: self.now,
                origin: 1,
            };
            let segment = Segment {
                sequence,
                data,
                missing: 0,
                acknowledged: None,
                fin: false,
                time: stamp.time,
                origin: stamp.origin,
            };
            let flags = Flags {
                syn,
                ack: false,
                rst: false,
            };
            let (shared, out) = (&mut self.shared, &mut self.out);
            self.table
                .with(key(port), true, stamp, shared, out, |flow, cx| {
                    flow.segment(Side::High, &segment, flags, cx);
                });
        }

        /// A question over UDP from the client with this port.
        fn datagram(&mut self, port: u16) {
            self.now = self.now + Duration::from_millis(1);
            let stamp = Stamp {
                time: self.now,
                origin: 1,
            };
            let key = between(Transport::Udp, port, 53);
            let protocol = protocol::datagram(&QUESTION, &key, &self.shared.limits).unwrap();
            let (shared, out) = (&mut self.shared, &mut self.out);
            self.table.with(key, true, stamp, shared, out, |flow, cx| {
                flow.datagram(protocol, Side::High, &QUESTION, cx);
            });
        }

        fn count(&self, class: Class) -> usize {
            self.table.flows.count(class)
        }

        fn evicted(&self) -> u64 {
            self.shared.stats.dropped(Drop::FlowEvicted)
        }
    }

    /// The flow over TCP of the client with this port.
    fn key(port: u16) -> FlowKey {
        between(Transport::Tcp, port, 1025)
    }

    fn between(transport: Transport, port: u16, service: u16) -> FlowKey {
        let (client, server) = (IpAddr::from([10, 0, 0, 9]), IpAddr::from([10, 0, 0, 1]));
        FlowKey::new(transport, (client, port), (server, service)).0
    }

    #[test]
    fn a_flood_of_conversations_stays_within_its_bound_and_tells_what_was_pending() {
        let mut bench = Bench::new(Limits {
            max_conversations: 8,
            ..Limits::default()
        });
        for port in 0..100 {
            bench.segment(port, 1, false, &REQUEST);
            assert!(bench.count(Class::Conversation) <= 8);
            assert!(bench.table.timers.len() <= 8);
        }
        assert_eq!(bench.evicted(), 92);
        assert_eq!(bench.out.len(), 92);
        let (shared, out) = (&mut bench.shared, &mut bench.out);
        bench.table.finish(shared, out);
        assert_eq!(bench.out.len(), 100);
    }

    #[test]
    fn a_flood_of_strangers_pushes_out_no_conversation() {
        let mut bench = Bench::new(Limits {
            max_strangers: 8,
            ..Limits::default()
        });
        bench.segment(1, 1, false, &REQUEST);
        for port in 2..1000 {
            bench.segment(port, 1, true, &[]);
            bench.segment(port, 2, false, b"GET / HTTP/1.1\r\n\r\n");
            assert!(bench.count(Class::Stranger) <= 8);
        }
        assert_eq!(bench.count(Class::Conversation), 1);
        assert_eq!(bench.evicted(), 0);
    }

    #[test]
    fn a_flood_of_questions_over_udp_pushes_out_no_connection_and_tells_each() {
        let mut bench = Bench::new(Limits {
            max_conversations: 8,
            max_datagram_flows: 8,
            ..Limits::default()
        });
        bench.segment(1, 1, false, &REQUEST);
        for port in 0..100 {
            bench.datagram(port);
            assert!(bench.count(Class::Datagrams) <= 8);
            assert!(bench.table.timers.len() <= 9);
        }
        assert_eq!(bench.count(Class::Conversation), 1);
        assert_eq!(bench.evicted(), 0);
        let stats = &bench.shared.stats;
        assert_eq!(stats.dropped(Drop::DatagramFlowEvicted), 92);
        assert_eq!(bench.out.len(), 92);
        let (shared, out) = (&mut bench.shared, &mut bench.out);
        bench.table.expire(Timestamp::MAX, shared, out);
        assert_eq!(bench.count(Class::Datagrams), 0);
        assert_eq!(bench.out.len(), 101);
    }

    #[test]
    fn bytes_that_wait_stay_within_their_bounds() {
        let limits = Limits {
            max_buffered: 100_000,
            max_buffered_per_direction: 20_000,
            ..Limits::default()
        };
        let mut bench = Bench::new(limits);
        for port in 0..50 {
            bench.segment(port, 0, true, &[]);
            for part in 0..30 {
                // Behind a byte that never comes.
                bench.segment(port, 2 + 1000 * part, false, &[0; 1000]);
                assert!(bench.table.held <= 100_000);
            }
        }
        let mut held = 0;
        for port in 0..50 {
            let place = bench.table.flows.find(&key(port)).unwrap();
            held += bench.table.flows.get(place).unwrap().1.held();
        }
        assert_eq!(held, bench.table.held);
        assert!(bench.shared.stats.dropped(Drop::StreamGap) > 0);
    }

    #[test]
    fn bytes_of_many_flows_push_out_the_oldest() {
        let mut bench = Bench::new(Limits {
            max_buffered: 100_000,
            ..Limits::default()
        });
        for port in 0..50 {
            bench.segment(port, 0, true, &[]);
            bench.segment(port, 2, false, &[0; 10_000]);
            assert!(bench.table.held <= 100_000);
        }
        assert_eq!(bench.evicted(), 41);
    }

    #[test]
    fn silent_flows_are_forgotten() {
        let mut bench = Bench::new(Limits::default());
        bench.segment(1, 0, true, &[]);
        bench.segment(2, 1, false, &REQUEST);
        let idle = bench.shared.limits.idle;
        let (shared, out) = (&mut bench.shared, &mut bench.out);
        bench.table.expire(bench.now + idle, shared, out);
        assert_eq!(bench.count(Class::Stranger), 0);
        assert_eq!(bench.count(Class::Conversation), 0);
        assert!(bench.table.timers.is_empty());
        assert_eq!(bench.out.len(), 1);
    }
}
