//! How much of a command is worth waiting for: all of what is read, and of bulk data the head.

use super::dialogue::Compound;
use super::file::{self, FileId, SAME_FILE};
use super::header::{HEADER, Header, command};
use super::ioctl;
use crate::flow::Side;
use crate::protocol::Context;
use crate::protocol::smb::{Asked, Nature, Piece, Request, State, TELLING_RPC, Target, is_rpc};

/// How many bytes must be there, if they are not.
pub(super) fn more(
    client: Side,
    header: &Header,
    piece: &Piece<'_>,
    compound: &Compound,
    state: &mut State,
    cx: &Context<'_>,
) -> Option<usize> {
    let wanted = match (header.command, header.is_answer()) {
        (command::WRITE, false) => {
            if let Some(need) = piece.lacks(file::WRITE_REQUEST) {
                return Some(need);
            }
            let (id, extent) = file::write_request(piece)?;
            let target = target(id, header, compound);
            let nature = target.map_or(Nature::Unknown, |target| state.nature(client, target));
            payload(nature, extent.offset.max(file::WRITE_REQUEST), piece, cx)
        }
        (command::READ, true) => {
            let asked = state.requests.peek(client, header.message_id, |asked| {
                matches!(asked, Asked::Read(_))
            });
            let nature = match asked {
                Some(Request {
                    asked: Asked::Read(target),
                    ..
                }) => {
                    let target = *target;
                    state.nature(client, target)
                }
                _ => Nature::Other,
            };
            if let Some(need) = piece.lacks(file::READ_ANSWER) {
                return Some(need);
            }
            let offset = file::read_answer(piece).map_or(0, |extent| extent.offset);
            payload(nature, offset.max(file::READ_ANSWER), piece, cx)
        }
        (command::IOCTL, true) => {
            let is_pipe = |asked: &Asked| matches!(asked, Asked::Transceive(_));
            match state.requests.peek(client, header.message_id, is_pipe) {
                Some(_) => piece.length,
                None => ioctl::ANSWER,
            }
        }
        (
            command::CREATE | command::SESSION_SETUP | command::NEGOTIATE | command::TREE_CONNECT,
            _,
        )
        | (command::IOCTL | command::QUERY_DIRECTORY | command::SET_INFO, false) => piece.length,
        _ => HEADER + 32,
    };
    piece.lacks(wanted.min(cx.limits.max_message))
}

/// How much of a command is wanted whose payload begins at `offset`.
fn payload(nature: Nature, offset: usize, piece: &Piece<'_>, cx: &Context<'_>) -> usize {
    match nature {
        Nature::Pipe => piece.length,
        Nature::Other => offset,
        Nature::Unknown if piece.lacks(offset + TELLING_RPC).is_some() => offset + TELLING_RPC,
        Nature::Unknown if is_rpc(piece.payload(offset, TELLING_RPC), cx) => piece.length,
        Nature::Unknown => offset,
    }
}

/// The file that a command is about.
pub(super) fn target(id: FileId, header: &Header, compound: &Compound) -> Option<Target> {
    let session = if header.is_related() && header.session == u64::MAX {
        compound.session
    } else {
        header.session
    };
    match id {
        SAME_FILE if header.is_related() => compound.file,
        id => Some(Target::File(file::key(session, id))),
    }
}
