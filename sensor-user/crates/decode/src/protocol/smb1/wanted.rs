//! How much of a message is worth waiting for: all of what is read, and of bulk data the head.

use super::block;
use super::file::{self, HEAD};
use super::header::{Header, command};
use crate::flow::Side;
use crate::protocol::Context;
use crate::protocol::smb::{Asked, Nature, Piece, Request, State, TELLING_RPC, Target, is_rpc};

/// How many bytes must be there, if they are not.
pub(super) fn more(
    client: Side,
    header: &Header,
    piece: &Piece<'_>,
    state: &mut State,
    cx: &Context<'_>,
) -> Option<usize> {
    let is_bulk = match header.command {
        command::WRITE_ANDX => !header.is_answer(),
        command::READ_ANDX => header.is_answer(),
        _ => false,
    };
    let wanted = if is_bulk {
        if let Some(need) = piece.lacks(HEAD) {
            return Some(need);
        }
        bulk(client, header, piece, state, cx).unwrap_or(piece.length)
    } else {
        piece.length
    };
    piece.lacks(wanted.min(cx.limits.max_message))
}

/// How much of a message with a payload is wanted; `None` for all of it.
fn bulk(
    client: Side,
    header: &Header,
    piece: &Piece<'_>,
    state: &mut State,
    cx: &Context<'_>,
) -> Option<usize> {
    let blocks = block::chain(header, piece)?;
    let (block, None) = (blocks.first()?, blocks.get(1)) else {
        return None;
    };
    let (target, extent) = if header.is_answer() {
        let asked = state
            .requests
            .peek(client, header.id(), |asked| matches!(asked, Asked::Read(_)));
        let target = match asked {
            Some(Request {
                asked: Asked::Read(target),
                ..
            }) => Some(*target),
            _ => None,
        };
        (target, file::read_answer(block)?)
    } else {
        let (key, extent) = file::write_request(block)?;
        (Some(Target::File(key)), extent)
    };
    let nature = target.map_or(Nature::Other, |target| state.nature(client, target));
    let offset = extent.offset.max(HEAD);
    match nature {
        Nature::Pipe => None,
        Nature::Other => Some(offset),
        Nature::Unknown if piece.lacks(offset + TELLING_RPC).is_some() => {
            Some(offset + TELLING_RPC)
        }
        Nature::Unknown if is_rpc(piece.payload(extent.offset, TELLING_RPC), cx) => None,
        Nature::Unknown => Some(offset),
    }
}
