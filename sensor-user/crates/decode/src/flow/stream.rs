//! One direction of a TCP connection: segments in, bytes in order out (RFC 9293).
//!
//! - Bytes are handed out once. Where copies of a byte differ, the first one counts.
//! - A message that lies whole in one segment is read where it lies, without a copy.
//! - A missing segment is waited for, within bounds of bytes and time. Then the stream goes on
//!   behind the gap, at the next segment that a message starts with.
//! - A connection whose beginning was not seen is picked up the same way.

use goshawk_model::Timestamp;

use super::Side;
use super::queue::Queue;
use crate::limits::Limits;

/// Who reads the stream: it knows where messages start and end.
pub(crate) trait Reader {
    /// Whether a message starts with these bytes, which begin a segment. Asked where the boundaries
    /// of messages are not known.
    fn starts_message(&mut self, side: Side, bytes: &[u8]) -> bool;

    /// Reads messages from `bytes`, which begin with one.
    fn read(&mut self, side: Side, bytes: &[u8]) -> Progress;

    /// `head` begins a message whose rest was lost.
    fn read_cut(&mut self, side: Side, head: &[u8]);

    /// Something of the stream was lost.
    fn lost(&mut self, side: Side, loss: Loss);
}

/// How far a [`Reader`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// All messages at hand are read.
    Read {
        /// Bytes done with, counted from the first one offered; those beyond the bytes at hand are
        /// of no interest and will be skipped.
        taken: usize,
        /// Bytes from there on without which it makes no sense to read again.
        need: usize,
        /// Length of the message there, `0` if that cannot be told yet.
        length: usize,
    },
    /// What is there is no message: the boundaries are lost.
    Astray,
}

/// What can be lost of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// A segment that never came.
    Gap,
    /// A segment too far away to be taken.
    Stray,
}

/// A segment with its place in the stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) sequence: u32,
    pub(crate) data: &'a [u8],
    /// Bytes behind `data` that were on the wire and not in the capture.
    pub(crate) missing: u32,
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
    /// Sequence number of the first byte, where a SYN told it.
    first: Option<u32>,
    /// Position behind the last byte, once a FIN told it.
    end: Option<u64>,
    /// Whether `next` is known to be where a message starts, or inside one that is being read.
    aligned: bool,
    /// Segments in a row that were too far away.
    strays: u8,
    buffers: Option<Box<Buffers>>,
}

#[derive(Debug, Default)]
struct Buffers {
    /// The beginning of an incomplete message.
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
impl Direction {
    /// A SYN was seen: the first byte has the number behind its.
    pub(crate) fn open(&mut self, syn_sequence: u32) {
        let first = syn_sequence.wrapping_add(1);
        *self = Self {
            next: (1 << 32) + u64::from(first),
            first: Some(first),
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
        self.first == Some(syn_sequence.wrapping_add(1))
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
        self.end.is_some_and(|end| end <= self.next)
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
            self.end = Some(start + length);
        }
        if length == 0 {
            return;
        }
        if start > self.next {
            // Nothing worth waiting for if we do not know where we are.
            if self.aligned {
                self.keep(start, segment);
                while self.held() > limits.max_buffered_per_direction && self.give_up(side, reader)
                {
                }
                return;
            }
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
        self.aligned = false;
        let Some(buffers) = &mut self.buffers else {
            return;
        };
        if buffers.partial.is_empty() {
            return;
        }
        let partial = std::mem::take(&mut buffers.partial);
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
        if !self.aligned {
            if !reader.starts_message(side, data) {
                return;
            }
            self.aligned = true;
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
mod tests {
    use super::*;

    /// Lines of text, and what was lost of them.
    #[derive(Default)]
    struct Lines {
        read: Vec<u8>,
        lost: Vec<Loss>,
    }

    impl Reader for Lines {
        fn starts_message(&mut self, _side: Side, bytes: &[u8]) -> bool {
            bytes.starts_with(b">")
        }

        fn read(&mut self, _side: Side, bytes: &[u8]) -> Progress {
            let taken = bytes
                .iter()
                .rposition(|&byte| byte == b'\n')
                .map_or(0, |at| at + 1);
            self.read.extend(&bytes[..taken]);
            Progress::Read {
                taken,
                need: 0,
                length: 0,
            }
        }

        fn read_cut(&mut self, _side: Side, head: &[u8]) {
            self.read.extend(head);
            self.read.push(b'~');
        }

        fn lost(&mut self, _side: Side, loss: Loss) {
            self.lost.push(loss);
        }
    }

    fn segment(sequence: u32, data: &[u8]) -> Segment<'_> {
        Segment {
            sequence,
            data,
            missing: 0,
            fin: false,
            time: Timestamp::ZERO,
            origin: 0,
        }
    }

    fn read(segments: &[Segment<'_>]) -> (Direction, Lines) {
        let mut direction = Direction::default();
        let mut lines = Lines::default();
        direction.open(u32::MAX - 5);
        for segment in segments {
            direction.segment(Side::Low, segment, &Limits::default(), &mut lines);
        }
        (direction, lines)
    }

    const FIRST: u32 = u32::MAX - 4;

    #[test]
    fn sequence_numbers_wrap() {
        let (direction, lines) = read(&[
            segment(FIRST.wrapping_add(10), b">two\n"),
            segment(FIRST, b">the one\r\n"),
        ]);
        assert_eq!(lines.read, b">the one\r\n>two\n");
        assert_eq!(direction.held(), 0);
        assert!(direction.expects(10));
    }

    #[test]
    fn behind_a_gap_a_message_is_found_again() {
        let (mut direction, mut lines) = read(&[
            segment(FIRST, b">whole\n>bro"),
            segment(20, b"ken\n"),
            segment(24, b">again\n"),
        ]);
        assert_eq!(lines.read, b">whole\n");
        let limits = Limits::default();
        let late = Timestamp::ZERO + limits.segment_wait;
        direction.expire(Side::Low, late, &limits, &mut lines);
        assert_eq!(lines.read, b">whole\n>bro~>again\n");
        assert_eq!(lines.lost, [Loss::Gap]);
    }

    #[test]
    fn one_segment_from_nowhere_is_no_gap_but_many_are() {
        let far = FIRST.wrapping_add(1 << 30);
        let stray = segment(far, b">stray\n");
        let (_, lines) = read(&[stray, segment(FIRST, b">one\n")]);
        assert_eq!(lines.read, b">one\n");
        assert_eq!(lines.lost, [Loss::Stray]);
        let (_, lines) = read(&[stray; MAX_STRAYS as usize]);
        assert_eq!(lines.read, b">stray\n");
    }

    #[test]
    fn a_fin_ends_it_once_everything_is_read() {
        let fin = Segment {
            fin: true,
            ..segment(FIRST.wrapping_add(5), b"")
        };
        let (direction, _) = read(&[fin]);
        assert!(!direction.is_finished());
        let (direction, _) = read(&[fin, segment(FIRST, b">one\n")]);
        assert!(direction.is_finished());
    }
}
