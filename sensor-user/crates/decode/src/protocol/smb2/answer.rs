//! What servers answer.

use goshawk_model::smb::{Negotiate, SessionSetup, Share};

use super::dialogue::Compound;
use super::header::{Header, command, status};
use super::{file, ioctl, negotiate, session};
use crate::flow::Side;
use crate::protocol::Context;
use crate::protocol::smb::{Answer, Asked, Piece, State};

/// Takes an answer; `None` if it is malformed.
pub(super) fn take(
    client: Side,
    header: &Header,
    piece: &Piece<'_>,
    compound: &mut Compound,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Option<()> {
    let (session, tree) = compound.enter(header);
    if header.is_interim() {
        state.park(client, header.message_id, cx);
        return Some(());
    }
    let answer = Answer {
        client,
        id: header.message_id,
        session,
        tree,
        refusal: header.refusal(),
    };
    match header.command {
        command::NEGOTIATE => negotiated(&answer, piece, state, cx),
        command::SESSION_SETUP => logged_on(&answer, header, piece, state, cx),
        command::TREE_CONNECT => connected(&answer, piece, state, cx),
        command::CREATE => created(&answer, header, piece, state, cx),
        command::READ => read(&answer, piece, state, cx),
        command::IOCTL => controlled(&answer, piece, state, cx),
        _ => {
            if let Some(request) = state.requests.take(client, answer.id, |_| true) {
                state.answered(&answer, request, cx);
            }
            Some(())
        }
    }
}

fn negotiated(
    answer: &Answer,
    piece: &Piece<'_>,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Option<()> {
    let read = |negotiate: &mut Negotiate| {
        let (dialect, terms) = negotiate::answer(piece)?;
        (negotiate.chosen, negotiate.server) = (Some(dialect), Some(terms));
        Some(())
    };
    state.negotiate_answered(answer, read, cx)
}

fn logged_on(
    answer: &Answer,
    header: &Header,
    piece: &Piece<'_>,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Option<()> {
    let goes_on = header.status == status::MORE_PROCESSING_REQUIRED;
    let told = session::setup_answer(piece);
    let token = told.as_ref().map(|told| told.token);
    let note = |setup: &mut SessionSetup| {
        if let Some(told) = &told {
            (setup.guest, setup.null) = (told.guest, told.null);
            (setup.encrypted, setup.signed) = (told.encrypted, header.is_signed());
        }
    };
    state.setup_answered(answer, goes_on, token, note, cx)
}

fn connected(
    answer: &Answer,
    piece: &Piece<'_>,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Option<()> {
    let is_tree = |asked: &Asked| matches!(asked, Asked::Tree(_));
    let request = state.requests.take(answer.client, answer.id, is_tree);
    let told = match answer.refusal {
        None => Some(session::tree_answer(piece)?),
        Some(_) => None,
    };
    let share = Share {
        server: None,
        name: None,
        share_type: told.as_ref().and_then(|told| told.share_type),
    };
    let (flags, encrypted) = told.map_or((0, false), |told| (told.flags, told.is_encrypted()));
    state.connected(answer, request, flags, encrypted, share, cx);
    Some(())
}

fn created(
    answer: &Answer,
    header: &Header,
    piece: &Piece<'_>,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Option<()> {
    // A symbolic link in the path stops it, with a warning ([MS-SMB2] 2.2.2.2.1).
    let refusal = (header.status != 0).then_some(header.status);
    let answer = Answer { refusal, ..*answer };
    if refusal.is_some() {
        state.created(&answer, None, cx);
        return Some(());
    }
    let opened = file::create_answer(piece, answer.session);
    state.created(&answer, opened, cx);
    opened?;
    Some(())
}

fn read(answer: &Answer, piece: &Piece<'_>, state: &mut State, cx: &mut Context<'_>) -> Option<()> {
    let extent = || file::read_answer(piece);
    state.read_answered(answer, piece, extent, cx)
}

fn controlled(
    answer: &Answer,
    piece: &Piece<'_>,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Option<()> {
    let Some(request) = state.requests.take(answer.client, answer.id, |_| true) else {
        return Some(());
    };
    if let (Asked::Transceive(target), None) = (&request.asked, answer.refusal) {
        let told = ioctl::answer(piece)?;
        state.piped(
            answer.client,
            *target,
            answer.client.other(),
            told.output_count,
            told.output,
            cx,
        );
    }
    state.answered(answer, request, cx);
    Some(())
}
