//! What servers answer.

use goshawk_model::smb::Share;

use super::dialogue::Compound;
use super::header::{Header, command, status};
use super::{file, ioctl, negotiate, session};
use crate::flow::Side;
use crate::protocol::Context;
use crate::protocol::smb::{Answer, Asked, Piece, Request, State};

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
    let is_negotiate = |asked: &Asked| matches!(asked, Asked::Negotiate(_));
    // A negotiation that SMB 1 began is answered in SMB 2, under an id of its own ([MS-SMB2]
    // 3.3.5.3.1).
    let request = state.requests.take(answer.client, answer.id, is_negotiate);
    let request = request.or_else(|| state.requests.take_any(answer.client, is_negotiate));
    let mut negotiate = match request {
        Some(Request {
            asked: Asked::Negotiate(negotiate),
            ..
        }) => negotiate,
        _ => Box::default(),
    };
    negotiate.status = answer.refusal;
    if answer.refusal.is_none() {
        let (dialect, terms) = negotiate::answer(piece)?;
        (negotiate.chosen, negotiate.server) = (Some(dialect), Some(terms));
    }
    state.negotiated(answer.client, negotiate, answer.outcome(), cx);
    Some(())
}

fn logged_on(
    answer: &Answer,
    header: &Header,
    piece: &Piece<'_>,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Option<()> {
    let is_session = |asked: &Asked| matches!(asked, Asked::Session(_));
    let mut setup = match state.requests.take(answer.client, answer.id, is_session) {
        Some(Request {
            asked: Asked::Session(setup),
            ..
        }) => Some(setup),
        _ => None,
    };
    let goes_on = header.status == status::MORE_PROCESSING_REQUIRED;
    let told = session::setup_answer(piece);
    if let (Some(setup), Some(told)) = (&mut setup, &told) {
        (setup.told.guest, setup.told.null) = (told.guest, told.null);
        (setup.told.encrypted, setup.told.signed) = (told.encrypted, header.is_signed());
    }
    let token = told.as_ref().map_or(&[][..], |told| told.token);
    state.logged_on(answer, goes_on, token, setup, cx);
    // What refuses says nothing more.
    (told.is_some() || answer.refusal.is_some() && !goes_on).then_some(())
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
