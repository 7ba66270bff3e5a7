//! One flow: its two directions, and the session they carry.

use std::sync::Arc;

use goshawk_model::Timestamp;

use super::shunt::Shunts;
use super::{Decoded, Stamp};
use crate::flow::stream::{Direction, Segment};
use crate::flow::{FlowKey, Side};
use crate::inventory::Inventory;
use crate::keytab::Keytab;
use crate::limits::Limits;
use crate::protocol::dcerpc::Endpoints;
use crate::protocol::dns;
use crate::protocol::{Context, DatagramProtocol, Reading, Sensor, Session};
use crate::stats::Stats;

/// What all flows of a decoder share.
pub(super) struct Shared {
    pub(super) sensor: Sensor,
    pub(super) limits: Limits,
    pub(super) keytab: Option<Arc<Keytab>>,
    pub(super) stats: Stats,
    pub(super) endpoints: Endpoints,
    pub(super) keys: dns::Keys,
    pub(super) inventory: Inventory,
    /// What the kernel is asked to keep, if it can.
    pub(super) shunts: Option<Shunts>,
    /// The next free number among the activities of the packet at hand.
    pub(super) sub: u32,
}

/// A TCP connection, or what two UDP ports exchange.
#[derive(Default)]
pub(super) struct Connection {
    low: Direction,
    high: Direction,
    session: Session,
    /// When its last packet came, and which it was.
    pub(super) touched: Timestamp,
    origin: u64,
    /// The deadline that the table wakes it up for, or zero.
    timer: Timestamp,
    /// Who sent the SYN.
    opener: Option<Side>,
    /// Who sent a SYN that would open the connection anew, and its number. It counts once it is
    /// answered or followed: anybody could have forged it to make us forget what we know.
    reopening: Option<Side>,
    reopening_number: u32,
    shunt: Shunt,
}

/// Whether the kernel may keep what still comes of a connection but its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Shunt {
    #[default]
    Unasked,
    /// It was asked to; so many packets have come all the same since.
    Asked { packets: u8 },
}

/// It is asked again after so many packets: it may have had no room.
const ASK_AGAIN: u8 = 64;

/// The first number of what is told without a packet of its own, behind all that the flow's last
/// packet tells: its place must not depend on what else the decoder looks after.
const LATER: u32 = 1 << 20;

/// The flags of a TCP segment that matter beside FIN.
#[derive(Clone, Copy)]
pub(super) struct Flags {
    pub(super) syn: bool,
    pub(super) ack: bool,
    pub(super) rst: bool,
}

impl Shared {
    pub(super) fn new(sensor: Arc<str>, limits: Limits) -> Self {
        Self {
            sensor: Sensor::new(sensor),
            limits,
            keytab: None,
            stats: Stats::default(),
            endpoints: Endpoints::new(),
            keys: dns::Keys::new(),
            inventory: Inventory::new(),
            shunts: None,
            sub: 0,
        }
    }

    /// The surroundings of a packet of the flow `key`.
    pub(super) fn context<'a>(
        &'a mut self,
        key: FlowKey,
        stamp: Stamp,
        out: &'a mut Vec<Decoded>,
    ) -> Context<'a> {
        Context {
            sensor: &self.sensor,
            limits: &self.limits,
            keytab: self.keytab.as_deref(),
            stats: &mut self.stats,
            endpoints: &mut self.endpoints,
            keys: &mut self.keys,
            inventory: &mut self.inventory,
            out,
            flow: key,
            opener: None,
            time: stamp.time,
            origin: stamp.origin,
            sub: &mut self.sub,
        }
    }
}

impl Connection {
    /// A packet comes.
    pub(super) fn touch(&mut self, stamp: Stamp) {
        self.touched = self.touched.max(stamp.time);
        self.origin = stamp.origin;
    }

    /// The deadline that the table wakes it up for.
    pub(super) fn timer(&self) -> Option<Timestamp> {
        (self.timer > Timestamp::ZERO).then_some(self.timer)
    }

    pub(super) fn set_timer(&mut self, due: Option<Timestamp>) {
        self.timer = due.unwrap_or(Timestamp::ZERO);
    }

    /// Whether messages of this flow are decoded.
    pub(super) fn is_conversation(&self) -> bool {
        self.session.is_conversation()
    }

    /// Whether the flow can be forgotten without loss: there is no stream whose place would be
    /// lost, and nothing waits.
    pub(super) fn is_spent(&self) -> bool {
        !self.low.is_seen() && !self.high.is_seen() && self.session.is_spent()
    }

    /// Whether the kernel is to be asked to keep what still comes but the connection's end. What
    /// comes all the same is of no interest from now on, and what does not come is not missing.
    pub(super) fn asks_for_shunt(&mut self) -> bool {
        if !self.session.is_opaque() {
            return false;
        }
        if let Shunt::Asked { packets } = &mut self.shunt
            && *packets < ASK_AGAIN
        {
            *packets += 1;
            return false;
        }
        self.low.release();
        self.high.release();
        self.shunt = Shunt::Asked { packets: 0 };
        true
    }

    /// Whether packets of a conversation may be left out.
    fn is_shunted(&self) -> bool {
        self.shunt != Shunt::Unasked && matches!(self.session, Session::Stream(_))
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.low.held() + self.high.held() + self.session.held()
    }

    /// When the next thing has waited long enough.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Timestamp> {
        let gaps = [Side::Low, Side::High]
            .into_iter()
            .filter_map(|side| self.gap_deadline(side, limits));
        gaps.chain(self.session.deadline()).min()
    }

    /// Takes a UDP datagram of `protocol`.
    pub(super) fn datagram(
        &mut self,
        protocol: DatagramProtocol,
        side: Side,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) {
        self.session.datagram(protocol, side, bytes, cx);
    }

    /// Takes a TCP segment.
    pub(super) fn segment(
        &mut self,
        side: Side,
        segment: &Segment<'_>,
        flags: Flags,
        cx: &mut Context<'_>,
    ) {
        cx.opener = self.opener;
        if flags.syn {
            let is_open = self.synchronise(side, segment.sequence, flags.ack, cx);
            // Data on a SYN (TCP Fast Open, RFC 7413) begins behind the number that is the SYN's own.
            let data = Segment {
                sequence: segment.sequence.wrapping_add(1),
                ..*segment
            };
            if is_open {
                self.data(side, &data, cx);
            }
            return;
        }
        if flags.rst {
            // One that is not exactly in order is a forgery, or answered by a challenge
            // (RFC 5961 3.2).
            let direction = self.direction(side);
            if self.is_shunted() || !direction.is_seen() || direction.expects(segment.sequence) {
                self.close(cx);
            }
            return;
        }
        let reopens = self.reopening == Some(side)
            && segment.sequence == self.reopening_number.wrapping_add(1);
        if reopens && !self.direction(side).expects(segment.sequence) {
            self.restart(cx);
        }
        self.data(side, segment, cx);
    }

    /// Takes what a segment carries.
    fn data(&mut self, side: Side, segment: &Segment<'_>, cx: &mut Context<'_>) {
        if self.is_shunted() {
            // Where its numbers are by now is not known.
            if segment.fin {
                self.direction_mut(side).finish(segment);
            }
            if self.low.is_finished() && self.high.is_finished() {
                self.close(cx);
            }
            return;
        }
        match self.session {
            Session::Ignored => return,
            Session::Over if self.direction(side).is_past(segment.sequence) => return,
            Session::Over => {
                // Its beginning was missed, or its end was forged.
                self.restart(cx);
            }
            _ => {}
        }
        let limits = cx.limits;
        let session = &mut self.session;
        let mut reading = Reading { session, cx };
        let (direction, other) = match side {
            Side::Low => (&mut self.low, &mut self.high),
            Side::High => (&mut self.high, &mut self.low),
        };
        if let Some(number) = segment.acknowledged {
            other.acknowledge(side.other(), number, &mut reading);
        }
        direction.segment(side, segment, limits, &mut reading);
        if matches!(self.session, Session::Ignored) {
            self.low.release();
            self.high.release();
        }
        if self.low.is_finished() && self.high.is_finished() {
            self.close(cx);
        }
    }

    /// Ends what has waited until `now`, each at its own deadline and in their order; returns the
    /// last of these.
    pub(super) fn expire(
        &mut self,
        key: FlowKey,
        now: Timestamp,
        shared: &mut Shared,
        out: &mut Vec<Decoded>,
    ) -> Option<Timestamp> {
        let before = std::mem::replace(&mut shared.sub, LATER);
        let mut last = None;
        while let Some(due) = self.deadline(&shared.limits).filter(|&due| due <= now) {
            let late = [Side::Low, Side::High]
                .into_iter()
                .find(|&side| self.gap_deadline(side, &shared.limits) == Some(due));
            let origin = late
                .and_then(|side| self.direction(side).waiting())
                .map_or(self.origin, |(_, origin)| origin);
            last = Some(due);
            let mut cx = shared.context(key, Stamp { time: due, origin }, out);
            cx.opener = self.opener;
            let Some(side) = late else {
                self.session.expire(due, &mut cx);
                continue;
            };
            let (direction, session) = match side {
                Side::Low => (&mut self.low, &mut self.session),
                Side::High => (&mut self.high, &mut self.session),
            };
            let limits = cx.limits;
            let mut reading = Reading {
                session,
                cx: &mut cx,
            };
            direction.expire(side, due, limits, &mut reading);
        }
        shared.sub = before;
        last
    }

    /// Ends everything, for it is forgotten at `now`: what waits has waited in vain, and what has
    /// no deadline ends behind the last that has.
    pub(super) fn forget(
        &mut self,
        key: FlowKey,
        now: Timestamp,
        shared: &mut Shared,
        out: &mut Vec<Decoded>,
    ) {
        let last = self.expire(key, Timestamp::MAX, shared, out);
        let stamp = Stamp {
            time: last.map_or(now, |last| last.max(now)),
            origin: self.origin,
        };
        // Behind what had its deadline then.
        let before = std::mem::replace(&mut shared.sub, 2 * LATER);
        let mut cx = shared.context(key, stamp, out);
        cx.opener = self.opener;
        self.close(&mut cx);
        shared.sub = before;
    }

    /// Ends everything now: the connection is over, or makes room.
    pub(super) fn close(&mut self, cx: &mut Context<'_>) {
        self.session.close(cx);
        self.low.release();
        self.high.release();
    }

    /// A SYN, or the SYN-ACK that answers it. Says whether what it carries belongs to the connection.
    fn synchronise(&mut self, side: Side, sequence: u32, ack: bool, cx: &mut Context<'_>) -> bool {
        // The same one again is a repetition, unless the connection has ended in between: a
        // recording played twice.
        let is_reopening = !ack || self.reopening.is_some();
        let is_over = matches!(self.session, Session::Over);
        if self.direction(side).was_opened_by(sequence) && !(is_over && is_reopening) {
            return true;
        }
        let opener = if ack { side.other() } else { side };
        let is_new = !self.direction(side).is_seen();
        if ack && (!is_new || self.reopening.is_some()) {
            self.restart(cx);
        } else if !is_new {
            (self.reopening, self.reopening_number) = (Some(side), sequence);
            return false;
        }
        self.opener = Some(opener);
        self.direction_mut(side).open(sequence);
        true
    }

    /// The ports are used by another connection now.
    fn restart(&mut self, cx: &mut Context<'_>) {
        self.close(cx);
        let (reopening, number) = (self.reopening, self.reopening_number);
        *self = Self {
            touched: self.touched,
            origin: self.origin,
            timer: self.timer,
            ..Self::default()
        };
        if let Some(side) = reopening {
            self.opener = Some(side);
            self.direction_mut(side).open(number);
        }
        cx.opener = self.opener;
    }

    fn gap_deadline(&self, side: Side, limits: &Limits) -> Option<Timestamp> {
        let (since, _) = self.direction(side).waiting()?;
        Some(since + limits.segment_wait)
    }

    fn direction(&self, side: Side) -> &Direction {
        match side {
            Side::Low => &self.low,
            Side::High => &self.high,
        }
    }

    fn direction_mut(&mut self, side: Side) -> &mut Direction {
        match side {
            Side::Low => &mut self.low,
            Side::High => &mut self.high,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_small() {
        // There are a hundred thousand of them, most of them idle. What is rare is in a box.
        assert_eq!(size_of::<Direction>(), 48);
        assert!(
            size_of::<Connection>() <= 152,
            "{}",
            size_of::<Connection>()
        );
    }
}
