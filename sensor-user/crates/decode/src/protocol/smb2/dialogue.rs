//! One connection's commands, in compounds and in disguise.

use super::header::{HEADER, Header};
use super::{answer, request, transform, wanted};
use crate::flow::Side;
use crate::protocol::Context;
use crate::protocol::smb::{Piece, State, Step, Target};
use crate::stats::Protocol;

/// What lasts from one command to the next.
#[derive(Debug, Default)]
pub(crate) struct Dialogue {
    low: Compound,
    high: Compound,
    /// Compressed messages were seen.
    compressed: bool,
}

/// What a compound's further commands refer to ([MS-SMB2] 3.3.5.2.7.2).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Compound {
    pub(super) session: u64,
    pub(super) tree: u32,
    pub(super) file: Option<Target>,
}

/// A plain header's worth of a compressed message that is waited for, bytes.
const MAX_PLAIN: usize = 4096;

impl Dialogue {
    /// A frame begins, and no compound goes on.
    pub(crate) fn begin(&mut self, side: Side) {
        *self.compound(side) = Compound::default();
    }

    /// Takes one command.
    pub(crate) fn command(
        &mut self,
        side: Side,
        piece: &Piece<'_>,
        state: &mut State,
        cx: &mut Context<'_>,
    ) -> Step {
        if let Some(need) = piece.lacks(HEADER) {
            return Step::Need(need);
        }
        let Some(header) = Header::parse(piece.bytes) else {
            // EternalBlue fills a server's memory with beginnings of messages that never end: only
            // what ends is one.
            if let Some(need) = piece.lacks(piece.length.min(cx.limits.max_message)) {
                return Step::Need(need);
            }
            cx.stats.message(Protocol::Smb2, piece.is_cut());
            return Step::Taken(piece.length);
        };
        let command = piece.first(header.extent(piece.length));
        let client = header.client(side);
        let compound = *self.compound(side);
        if let Some(need) = wanted::more(client, &header, &command, &compound, state, cx) {
            return Step::Need(need);
        }
        let understood = if !cx.may_be_client(client) {
            None
        } else {
            state.is_asked_by(client);
            let compound = self.compound(side);
            if header.is_answer() {
                answer::take(client, &header, &command, compound, state, cx)
            } else {
                request::take(client, &header, &command, compound, state, cx)
            }
        };
        cx.stats
            .message(Protocol::Smb2, understood.is_some() || command.is_cut());
        Step::Taken(command.length)
    }

    /// Takes an encrypted message.
    pub(crate) fn sealed(
        &mut self,
        side: Side,
        piece: &Piece<'_>,
        state: &mut State,
        cx: &mut Context<'_>,
    ) -> Step {
        if let Some(need) = piece.lacks(transform::SEALED) {
            return Step::Need(need);
        }
        let session = transform::sealed_session(piece.bytes);
        cx.stats.message(Protocol::Smb2, session.is_some());
        if let Some(session) = session {
            cx.stats.sealed(Protocol::Smb2);
            let client = state.client(cx);
            let length = piece.length.saturating_sub(transform::SEALED);
            state.sessions.sealed(session, client, side, length, cx);
        }
        Step::Taken(piece.length)
    }

    /// Takes a compressed message, and reads what lies in it as it was.
    pub(crate) fn compressed(
        &mut self,
        side: Side,
        piece: &Piece<'_>,
        state: &mut State,
        cx: &mut Context<'_>,
    ) -> Step {
        if let Some(need) = piece.lacks(transform::COMPRESSED) {
            return Step::Need(need);
        }
        let length = piece.length.saturating_sub(transform::COMPRESSED);
        let Some(header) = transform::compressed(piece.bytes, length) else {
            cx.stats.message(Protocol::Smb2, piece.is_cut());
            return Step::Taken(piece.length);
        };
        let plain = transform::plain(&header);
        if let Some(need) = piece.lacks(transform::COMPRESSED + plain.min(MAX_PLAIN)) {
            return Step::Need(need);
        }
        if header.contradictory || !self.compressed {
            self.compressed = true;
            transform::tell(header, side, state, cx);
        }
        let mut rest = piece.payload(transform::COMPRESSED, plain);
        if Header::parse(rest).is_none() {
            cx.stats.message(Protocol::Smb2, true);
        }
        while Header::parse(rest).is_some() {
            let Step::Taken(count) = self.command(side, &Piece::cut(rest), state, cx) else {
                break;
            };
            rest = rest.get(count..).unwrap_or_default();
        }
        Step::Taken(piece.length)
    }

    fn compound(&mut self, side: Side) -> &mut Compound {
        match side {
            Side::Low => &mut self.low,
            Side::High => &mut self.high,
        }
    }
}

impl Compound {
    /// Session and tree of a command: its own, or those of the one before.
    pub(super) fn enter(&mut self, header: &Header) -> (u64, u32) {
        if !header.is_related() || header.session != u64::MAX {
            self.session = header.session;
        }
        match header.tree {
            Some(tree) if !header.is_related() || tree != u32::MAX => self.tree = tree,
            _ => {}
        }
        if !header.is_related() {
            self.file = None;
        }
        (self.session, self.tree)
    }
}
