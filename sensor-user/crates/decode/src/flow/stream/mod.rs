//! One direction of a TCP connection: segments in, bytes in order out (RFC 9293).
//!
//! - Bytes are handed out once. Where copies of a byte differ, the first one counts.
//! - A message that lies whole in one segment is read where it lies, without a copy.
//! - A missing segment is waited for, within bounds of bytes and time. Then the stream goes on
//!   behind the gap, at the next segment that a message starts with.
//! - What the other side has acknowledged was delivered to it. If it was not seen by then it was
//!   lost on the way to us alone, will not be sent again, and is not waited for: what is behind the
//!   gap must be read before its answer is.
//! - A connection whose beginning was not seen is picked up the same way. A segment that is too
//!   short to tell is kept until the next one, for a length may travel in a segment of its own.

mod reader;

use std::num::NonZeroU64;

use goshawk_model::Timestamp;

pub(crate) use reader::{Loss, Progress, Reader, Verdict};

use super::Side;
use super::queue::Queue;
use crate::limits::Limits;

/// A segment with its place in the stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) sequence: u32,
    pub(crate) data: &'a [u8],
    /// Bytes behind `data` that were on the wire and not in the capture.
    pub(crate) missing: u32,
    /// The other direction's next byte, as the sender knows it.
    pub(crate) acknowledged: Option<u32>,
    pub(crate) fin: bool,
    pub(crate) time: Timestamp,
    pub(crate) origin: u64,
}

/// One direction's state: small, with buffers only while something waits in them.
#[derive(Debug, Default)]
pub(crate) struct Direction {
    /// Position of the next byte, `0` before the first packet. Its lower 32 bits are the sequence
    /// number; the upper ones start at 1 and count how often that wrapped.
    next: u64,
    /// Bytes from `next` on that nobody wants.
    skip: u64,
    /// Position behind the last byte, once a FIN told it.
    end: Option<NonZeroU64>,
    /// Position up to which the other side has received everything, as it said last: not the
    /// highest, so that a forged one does no harm for long.
    acknowledged: u64,
    buffers: Option<Box<Buffers>>,
    /// Sequence number of the first byte, where a SYN told it, which is when it is `opened`.
    first: u32,
    opened: bool,
    /// Whether `next` is known to be where a message starts, or inside one that is being read.
    aligned: bool,
    /// Segments in a row that were too far away.
    strays: u8,
}

#[derive(Debug, Default)]
struct Buffers {
    /// The beginning of an incomplete message; where boundaries are not known, of what may be one.
    partial: Vec<u8>,
    need: usize,
    length: usize,
    /// Segments behind a gap.
    waiting: Queue,
    /// Since when a segment is missing, and the packet that showed it.
    since: Timestamp,
    origin: u64,
}

/// No receiver has a window beyond this, bytes: a segment further ahead is forged, or so much was
/// lost that waiting is pointless. The largest window TCP allows is 1 GiB (RFC 7323 2.3), the
/// largest in use by default 16 MiB (Windows).
const MAX_AHEAD: u64 = 16 << 20;
/// After so many segments in a row that are too far ahead, they are right and we are wrong.
const MAX_STRAYS: u8 = 8;
/// No protocol needs more bytes to tell whether a message starts with them.
const MAX_TELLING: usize = 256;

impl Direction {
    /// A SYN was seen: the first byte has the number behind its.
    pub(crate) fn open(&mut self, syn_sequence: u32) {
        let first = syn_sequence.wrapping_add(1);
        *self = Self {
            next: (1 << 32) + u64::from(first),
            first,
            opened: true,
            aligned: true,
            ..Self::default()
        };
    }

    /// Whether a packet of this direction was seen.
    pub(crate) fn is_seen(&self) -> bool {
        self.next != 0
    }

    /// Whether this is the SYN it was opened by, once more.
    pub(crate) fn was_opened_by(&self, syn_sequence: u32) -> bool {
        self.opened && self.first == syn_sequence.wrapping_add(1)
    }

    /// Whether bytes from this number on have been handed on already.
    pub(crate) fn is_past(&self, sequence: u32) -> bool {
        self.is_seen() && self.position(sequence) < self.next
    }

    /// Whether the next byte expected has this sequence number.
    pub(crate) fn expects(&self, sequence: u32) -> bool {
        self.is_seen() && self.next as u32 == sequence
    }

    /// Whether everything up to the FIN has been read.
    pub(crate) fn is_finished(&self) -> bool {
        self.end.is_some_and(|end| end.get() <= self.next)
    }

    /// A FIN came, and whatever is missing before it is of no interest.
    pub(crate) fn finish(&mut self, segment: &Segment<'_>) {
        let length = segment.data.len() as u64 + u64::from(segment.missing);
        self.next = self.position(segment.sequence) + length;
        self.end = NonZeroU64::new(self.next);
    }

    /// Bytes held.
    pub(crate) fn held(&self) -> usize {
        self.buffers.as_ref().map_or(0, |buffers| buffers.held())
    }

    /// Lets go of what is held.
    pub(crate) fn release(&mut self) {
        self.buffers = None;
    }

    /// Since when a segment is missing, and the packet that showed it.
    pub(crate) fn waiting(&self) -> Option<(Timestamp, u64)> {
        let buffers = self.buffers.as_ref()?;
        buffers.waiting.first()?;
        Some((buffers.since, buffers.origin))
    }

    /// The other side has received everything up to this number: gaps before it are given up.
    pub(crate) fn acknowledge(&mut self, side: Side, number: u32, reader: &mut impl Reader) {
        if self.is_seen() {
            self.acknowledged = self.position(number);
            self.give_up_acknowledged(side, reader);
        }
    }

    /// Takes a segment and hands on what is now in order.
    pub(crate) fn segment(
        &mut self,
        side: Side,
        segment: &Segment<'_>,
        limits: &Limits,
        reader: &mut impl Reader,
    ) {
        let start = self.position(segment.sequence);
        let length = segment.data.len() as u64 + u64::from(segment.missing);
        if !self.is_seen() {
            self.next = start;
        }
        if start.saturating_sub(self.next) > MAX_AHEAD {
            self.strays += 1;
            reader.lost(side, Loss::Stray);
            if self.strays < MAX_STRAYS {
                return;
            }
            self.jump(start);
        }
        self.strays = 0;
        // One behind what was read already is no FIN its receiver would take.
        if segment.fin && start + length >= self.next {
            self.end = NonZeroU64::new(start + length);
        }
        if length == 0 {
            return;
        }
        if start > self.next {
            if self.aligned || self.waiting().is_some() {
                self.keep(start, segment);
                self.give_up_acknowledged(side, reader);
                while self.cannot_wait(limits) && self.give_up(side, reader) {}
                return;
            }
            self.take_partial();
            self.next = start;
        }
        self.advance(side, start, segment.data, segment.missing, reader);
        self.catch_up(side, reader);
    }

    /// Gives up the segments that have been missing for too long.
    pub(crate) fn expire(
        &mut self,
        side: Side,
        now: Timestamp,
        limits: &Limits,
        reader: &mut impl Reader,
    ) {
        while self
            .waiting()
            .is_some_and(|(since, _)| since + limits.segment_wait <= now)
        {
            self.give_up(side, reader);
            // What is behind the gap may have further gaps; they were seen no later.
        }
    }

    fn give_up_acknowledged(&mut self, side: Side, reader: &mut impl Reader) {
        let behind_gap = |it: &Self| it.buffers.as_ref().and_then(|it| it.waiting.first());
        while behind_gap(self).is_some_and(|start| start <= self.acknowledged) {
            self.give_up(side, reader);
        }
    }

    /// Whether the first gap has to be given up: behind it too much is kept, or there is nothing
    /// worth waiting for, because we do not know where we are.
    fn cannot_wait(&self, limits: &Limits) -> bool {
        self.held() > limits.max_buffered_per_direction || !self.aligned && self.waiting().is_some()
    }

    /// The position of a sequence number: the one nearest to the next byte.
    fn position(&self, sequence: u32) -> u64 {
        if !self.is_seen() {
            return (1 << 32) + u64::from(sequence);
        }
        let distance = sequence.wrapping_sub(self.next as u32).cast_signed();
        self.next.saturating_add_signed(i64::from(distance))
    }

    /// Everything up to `position` is lost.
    fn jump(&mut self, position: u64) {
        self.next = position;
        self.skip = 0;
        self.aligned = false;
        self.buffers = None;
    }

    /// Keeps a segment behind a gap.
    fn keep(&mut self, start: u64, segment: &Segment<'_>) {
        let buffers = self.buffers.get_or_insert_default();
        if buffers.waiting.first().is_none() {
            (buffers.since, buffers.origin) = (segment.time, segment.origin);
        }
        buffers.waiting.insert(start, segment.data, segment.missing);
    }

    /// Hands on the kept segments that are in order now.
    fn catch_up(&mut self, side: Side, reader: &mut impl Reader) {
        while let Some(buffers) = &mut self.buffers {
            let Some((start, kept)) = buffers.waiting.pop(self.next) else {
                break;
            };
            self.advance(side, start, &kept.data, kept.missing, reader);
        }
        if self.buffers.as_ref().is_some_and(|b| b.held() == 0) {
            self.buffers = None;
        }
    }

    /// Goes on behind the first gap; `false` if there is none.
    fn give_up(&mut self, side: Side, reader: &mut impl Reader) -> bool {
        let first = self
            .buffers
            .as_ref()
            .and_then(|buffers| buffers.waiting.first());
        match first {
            Some(start) => {
                self.lose(side, start.saturating_sub(self.next), reader);
                self.catch_up(side, reader);
                true
            }
            // The incomplete message alone is too long.
            None => {
                reader.lost(side, Loss::Gap);
                self.jump(self.next);
                false
            }
        }
    }

    /// Hands on a segment that starts at or before the next byte.
    fn advance(
        &mut self,
        side: Side,
        start: u64,
        data: &[u8],
        missing: u32,
        reader: &mut impl Reader,
    ) {
        let old = self.next.saturating_sub(start);
        let fresh = usize::try_from(old)
            .ok()
            .and_then(|old| data.get(old..))
            .unwrap_or_default();
        if !fresh.is_empty() {
            self.next += fresh.len() as u64;
            self.deliver(side, fresh, reader);
        }
        let end = start + data.len() as u64 + u64::from(missing);
        if missing > 0 && end > self.next {
            self.lose(side, end - self.next, reader);
        }
    }

    /// `count` bytes will never be seen.
    fn lose(&mut self, side: Side, count: u64, reader: &mut impl Reader) {
        self.next += count;
        if self.skip >= count {
            self.skip -= count;
            return;
        }
        self.skip = 0;
        reader.lost(side, Loss::Gap);
        let was_aligned = std::mem::replace(&mut self.aligned, false);
        let Some(buffers) = &mut self.buffers else {
            return;
        };
        let partial = std::mem::take(&mut buffers.partial);
        if partial.is_empty() || !was_aligned {
            return;
        }
        let rest = (buffers.length as u64).checked_sub(partial.len() as u64 + count);
        if let Some(rest) = rest {
            // The message's header tells where the next one starts.
            self.skip = rest;
            self.aligned = true;
        }
        reader.read_cut(side, &partial);
    }

    /// Hands bytes in order to the reader; keeps what it cannot use yet.
    fn deliver(&mut self, side: Side, data: &[u8], reader: &mut impl Reader) {
        let skipped = self.skip.min(data.len() as u64);
        self.skip -= skipped;
        let data = data.get(skipped as usize..).unwrap_or_default();
        if data.is_empty() {
            return;
        }
        if !self.aligned && !self.align(side, data, reader) {
            return;
        }
        match self
            .buffers
            .as_deref_mut()
            .filter(|b| !b.partial.is_empty())
        {
            None => {
                let progress = reader.read(side, data);
                self.apply(progress, data.len(), |taken| {
                    data.get(taken..).unwrap_or_default().to_vec()
                });
            }
            Some(buffers) => {
                buffers.partial.extend_from_slice(data);
                if buffers.partial.len() < buffers.need {
                    return;
                }
                let mut partial = std::mem::take(&mut buffers.partial);
                let progress = reader.read(side, &partial);
                self.apply(progress, partial.len(), move |taken| {
                    partial.drain(..taken);
                    partial
                });
            }
        }
    }

    /// Looks for the start of a message in `data`, first together with what was kept of the
    /// segments before it. Once it is found, the stream is aligned.
    fn align(&mut self, side: Side, data: &[u8], reader: &mut impl Reader) -> bool {
        let tells = |verdict, bytes: &[u8]| match verdict {
            Verdict::Need(need) if need > MAX_TELLING || need <= bytes.len() => Verdict::No,
            verdict => verdict,
        };
        let mut kept = self.take_partial();
        if !kept.is_empty() {
            let before = kept.len();
            kept.extend_from_slice(data);
            let verdict = tells(reader.starts_message(side, &kept), &kept);
            if verdict != Verdict::No {
                self.aligned = verdict == Verdict::Yes;
                if self.aligned {
                    kept.truncate(before);
                }
                self.keep_partial(kept);
                return self.aligned;
            }
        }
        match tells(reader.starts_message(side, data), data) {
            Verdict::Yes => self.aligned = true,
            Verdict::Need(_) => self.keep_partial(data.to_vec()),
            Verdict::No => {}
        }
        self.aligned
    }

    /// Keeps bytes to be read together with the next ones, however few.
    fn keep_partial(&mut self, partial: Vec<u8>) {
        let buffers = self.buffers.get_or_insert_default();
        (buffers.partial, buffers.need, buffers.length) = (partial, 0, 0);
    }

    fn take_partial(&mut self) -> Vec<u8> {
        self.buffers
            .as_deref_mut()
            .map(|buffers| std::mem::take(&mut buffers.partial))
            .unwrap_or_default()
    }

    /// Notes how far the reader came with `offered` bytes; `rest` makes the buffer of what is left.
    fn apply(&mut self, progress: Progress, offered: usize, rest: impl FnOnce(usize) -> Vec<u8>) {
        let Progress::Read {
            taken,
            need,
            length,
        } = progress
        else {
            self.aligned = false;
            return;
        };
        match offered.checked_sub(taken) {
            Some(0) => {}
            Some(_) => {
                let buffers = self.buffers.get_or_insert_default();
                buffers.partial = rest(taken);
                (buffers.need, buffers.length) = (need, length);
            }
            None => self.skip = (taken - offered) as u64,
        }
    }
}

impl Buffers {
    fn held(&self) -> usize {
        self.partial.len() + self.waiting.cost()
    }
}

#[cfg(test)]
mod tests;
