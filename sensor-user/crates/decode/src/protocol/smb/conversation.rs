//! One connection: its frames taken apart, and each message handed to the version it is of.

use goshawk_model::Timestamp;

use super::frame::{self, Header, Kind, Magic};
use super::netbios::Calling;
use super::{Piece, State, Step};
use crate::flow::Side;
use crate::flow::stream::Progress;
use crate::protocol::{self, Context, Verdict, smb1, smb2};
use crate::stats::Protocol;

/// The state of one connection, whatever versions are spoken on it.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    /// Bytes to come of the frame that each side has begun.
    low: usize,
    high: usize,
    calling: Calling,
    smb2: smb2::Dialogue,
    state: Box<State>,
}

impl protocol::Conversation for Conversation {
    fn starts_message(&self, bytes: &[u8], cx: &Context<'_>) -> Verdict {
        super::tells_stream(bytes, &cx.flow, cx.limits)
    }

    fn read(&mut self, side: Side, bytes: &[u8], cx: &mut Context<'_>) -> Progress {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            let inside = *self.inside(side);
            let (step, length) = if inside > 0 {
                (self.part(side, rest, inside, cx), inside)
            } else {
                let Some(header) = Header::parse(rest) else {
                    if rest.len() < frame::HEADER {
                        return read(taken, frame::HEADER, 0);
                    }
                    cx.stats.message(Protocol::Smb2, false);
                    return Progress::Astray;
                };
                let length = frame::HEADER + header.length;
                match self.frame(side, header, rest, cx) {
                    Some(step) => (step, length),
                    None => return Progress::Astray,
                }
            };
            match step {
                Step::Taken(count) => {
                    *self.inside(side) = length.saturating_sub(count);
                    taken += count;
                }
                Step::Need(need) => return read(taken, need, length),
            }
        }
        read(taken, 0, 0)
    }

    fn read_cut(&mut self, side: Side, head: &[u8], cx: &mut Context<'_>) {
        let mut rest = head;
        if frame::starts(head) {
            self.smb2.begin(side);
            rest = head.get(frame::HEADER..).unwrap_or_default();
        }
        while Magic::of(rest).is_some() {
            let piece = Piece::cut(rest);
            let Step::Taken(count) = self.message(side, &piece, cx) else {
                return;
            };
            rest = rest.get(count..).unwrap_or_default();
        }
    }

    fn lost(&mut self, side: Side) {
        *self.inside(side) = 0;
        self.state.lost(side);
    }

    fn held(&self) -> usize {
        self.state.files.held()
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.state.deadline()
    }

    fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        self.state.expire(now, cx);
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        self.calling.close(cx);
        self.state.close(cx);
    }
}

impl Conversation {
    /// Takes a frame, or its first part; `None` if what is in it is not SMB.
    fn frame(
        &mut self,
        side: Side,
        header: Header,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Option<Step> {
        let length = frame::HEADER + header.length;
        if header.kind != Kind::Message {
            if bytes.len() < length {
                return Some(Step::Need(length));
            }
            self.calling
                .take(side, header.kind, bytes.get(frame::HEADER..length)?, cx);
            return Some(Step::Taken(length));
        }
        if bytes.len() < frame::TELLING.min(length) {
            return Some(Step::Need(frame::TELLING.min(length)));
        }
        let message = bytes.get(frame::HEADER..)?;
        if header.length == 0 {
            return Some(Step::Taken(length));
        }
        if Magic::of(message).is_none() {
            cx.stats.message(Protocol::Smb2, false);
            return None;
        }
        self.calling.close(cx);
        self.smb2.begin(side);
        Some(match self.part(side, message, header.length, cx) {
            Step::Taken(count) => Step::Taken(frame::HEADER + count),
            Step::Need(need) => Step::Need(frame::HEADER + need),
        })
    }

    /// Takes a message, or one command of a compound, in a frame of which `inside` bytes are left.
    fn part(&mut self, side: Side, bytes: &[u8], inside: usize, cx: &mut Context<'_>) -> Step {
        let piece = Piece::new(bytes, inside);
        if bytes.len() < 4.min(inside) {
            return Step::Need(4.min(inside));
        }
        self.message(side, &piece, cx)
    }

    fn message(&mut self, side: Side, piece: &Piece<'_>, cx: &mut Context<'_>) -> Step {
        let state = &mut self.state;
        match Magic::of(piece.bytes) {
            Some(Magic::Smb1) => smb1::message(side, piece, state, cx),
            Some(Magic::Smb2) => self.smb2.command(side, piece, state, cx),
            Some(Magic::Sealed) => self.smb2.sealed(side, piece, state, cx),
            Some(Magic::Compressed) => self.smb2.compressed(side, piece, state, cx),
            None => {
                cx.stats.message(Protocol::Smb2, false);
                Step::Taken(piece.length)
            }
        }
    }

    fn inside(&mut self, side: Side) -> &mut usize {
        match side {
            Side::Low => &mut self.low,
            Side::High => &mut self.high,
        }
    }
}

fn read(taken: usize, need: usize, length: usize) -> Progress {
    Progress::Read {
        taken,
        need,
        length,
    }
}
