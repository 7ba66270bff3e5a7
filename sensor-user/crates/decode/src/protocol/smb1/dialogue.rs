//! One connection's messages.

use super::header::{HEADER, Header};
use super::{answer, block, request, wanted};
use crate::flow::Side;
use crate::protocol::Context;
use crate::protocol::smb::{Piece, State, Step};
use crate::stats::Protocol;

/// Takes one message.
pub(crate) fn message(
    side: Side,
    piece: &Piece<'_>,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Step {
    if let Some(need) = piece.lacks(HEADER) {
        return Step::Need(need);
    }
    let Some(header) = Header::parse(piece.bytes) else {
        cx.stats.message(Protocol::Smb1, piece.is_cut());
        return Step::Taken(piece.length);
    };
    let client = header.client(side);
    if let Some(need) = wanted::more(client, &header, piece, state, cx) {
        return Step::Need(need);
    }
    let understood = if !cx.may_be_client(client) {
        None
    } else {
        state.is_asked_by(client);
        block::chain(&header, piece).and_then(|blocks| {
            if header.is_answer() {
                answer::take(client, &header, &blocks, piece, state, cx)
            } else {
                request::take(client, &header, &blocks, piece, state, cx)
            }
        })
    };
    cx.stats
        .message(Protocol::Smb1, understood.is_some() || piece.is_cut());
    Step::Taken(piece.length)
}
