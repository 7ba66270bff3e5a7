//! The packets of captures in their order, each with its place.

use std::time::Duration;

use goshawk_decode::{Frame, Sharder};
use goshawk_model::Timestamp;

use crate::capture::file::Captures;
use crate::capture::{Progress, Source};
use crate::pipeline::deal::{Deal, Place};

/// How often, in packets' time, every worker hears the time: all at the same packet, so that what
/// expires does not depend on who decodes.
const SECOND: u64 = Duration::from_secs(1).as_nanos() as u64;
/// Packets between two reports of whoever decodes as it reads: as many as their activities stay in
/// the processor's cache.
const PACKETS_AT_ONCE: usize = 64;

/// What is drawn from captures, in their order.
pub(super) struct Deck {
    captures: Captures,
    deal: Deal,
    sharder: Sharder,
    /// Whether the captures' packet is still to be drawn.
    is_held: bool,
    second: Timestamp,
    drawn: u64,
}

/// What is drawn.
pub(super) enum Card<'a> {
    /// A packet, and whose it is.
    Packet(Place, Frame<'a>),
    /// It is this second now.
    Second(Timestamp),
}

impl Deck {
    pub(super) fn new(captures: Captures, deal: Deal) -> Self {
        Self {
            captures,
            deal,
            sharder: deal.sharder(),
            is_held: false,
            second: Timestamp::ZERO,
            drawn: 0,
        }
    }

    /// When the next packet was captured; `None` if there is none.
    pub(super) fn begins(&mut self) -> Option<Timestamp> {
        self.is_held = self.is_held || self.captures.read();
        self.captures.packet().map(|packet| packet.time)
    }

    /// Draws the next card; `None` when the captures have ended.
    pub(super) fn draw(&mut self) -> Option<Card<'_>> {
        let time = self.begins()?;
        let second = Timestamp::from_nanos(time.as_nanos() / SECOND * SECOND);
        if second > self.second {
            self.second = second;
            return Some(Card::Second(second));
        }
        self.is_held = false;
        self.drawn += 1;
        let packet = self.captures.packet()?;
        let frame = Frame {
            time,
            origin: self.drawn,
            link: packet.link,
            wire_len: packet.wire_len,
            data: packet.data,
        };
        let place = self.deal.place(self.sharder.shard(&frame));
        Some(Card::Packet(place, frame))
    }

    pub(super) fn into_captures(self) -> Captures {
        self.captures
    }
}

/// For a worker that has all of it.
impl Source for Deck {
    fn poll(
        &mut self,
        _patience: Duration,
        sink: &mut dyn FnMut(usize, Frame<'_>),
    ) -> anyhow::Result<Progress> {
        for _ in 0..PACKETS_AT_ONCE {
            match self.draw() {
                Some(Card::Packet(place, frame)) => sink(place.decoder, frame),
                Some(Card::Second(_)) => break,
                None => return Ok(Progress::End),
            }
        }
        Ok(Progress::Upto(self.second))
    }
}
