//! What clients ask.

use goshawk_model::Carrier;
use goshawk_model::smb::{Ioctl, SessionSetup};

use super::dialogue::Compound;
use super::header::{Header, command};
use super::wanted::target;
use super::{file, ioctl, negotiate, session};
use crate::flow::Side;
use crate::protocol::Context;
use crate::protocol::security::Handshake;
use crate::protocol::smb::{Asked, Open, Piece, Setup, State, Target, control_name};

/// Takes a request; `None` if it is malformed.
pub(super) fn take(
    client: Side,
    header: &Header,
    piece: &Piece<'_>,
    compound: &mut Compound,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Option<()> {
    let place = compound.enter(header);
    let asked = match header.command {
        command::NEGOTIATE => Asked::Negotiate(Box::new(negotiate::request(piece)?)),
        command::SESSION_SETUP => {
            let asked = session::setup_request(piece)?;
            Asked::Session(set_up(client, place.0, &asked, state, cx))
        }
        command::LOGOFF => Asked::Logoff,
        command::TREE_CONNECT => Asked::Tree(Box::new(session::tree_request(piece)?)),
        command::TREE_DISCONNECT => Asked::TreeDisconnect,
        command::CREATE => {
            let open = create(client, piece, place, state, cx)?;
            compound.file = Some(Target::OpenedBy(header.message_id));
            Asked::Create(Box::new(open))
        }
        command::CLOSE => Asked::Close(remember(file::close_request(piece)?, header, compound)?),
        command::READ => Asked::Read(remember(file::read_request(piece)?, header, compound)?),
        command::WRITE => write(client, header, piece, compound, state, cx)?,
        command::QUERY_DIRECTORY => {
            let (id, change) = file::query_directory_request(piece)?;
            Asked::Change(remember(id, header, compound)?, change)
        }
        command::SET_INFO => {
            let (id, change) = file::set_info_request(piece)?;
            let target = remember(id, header, compound)?;
            match change {
                Some(change) => Asked::Change(target, change),
                None => return Some(()),
            }
        }
        command::IOCTL => control(client, header, piece, compound, state, cx)?,
        // Nothing in them that anybody asks for: FLUSH, LOCK, CANCEL, ECHO, CHANGE_NOTIFY,
        // QUERY_INFO, OPLOCK_BREAK.
        _ => return Some(()),
    };
    state.ask(client, header.message_id, place, asked, cx);
    Some(())
}

/// A logon begins or goes on.
fn set_up(
    client: Side,
    id: u64,
    asked: &session::Asked<'_>,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Box<Setup> {
    let known = state.sessions.get(id);
    let renewed = !asked.binding && known.as_ref().is_some_and(|session| session.is_valid);
    let mut setup = known
        .and_then(|session| session.setup.take())
        .unwrap_or_else(|| {
            Box::new(Setup {
                client,
                moment: cx.moment(),
                deadline: cx.time + cx.limits.answer_wait,
                handshake: Handshake::new(Carrier::Smb),
                told: SessionSetup {
                    session: id,
                    renewed,
                    ..SessionSetup::default()
                },
            })
        });
    setup.told.binding |= asked.binding;
    setup.told.previous = setup.told.previous.or(asked.previous);
    state.signing_required |= asked.security_mode & 2 != 0;
    setup.handshake.client(client, asked.token, cx);
    setup
}

fn create(
    client: Side,
    piece: &Piece<'_>,
    (session, tree): (u64, u32),
    state: &mut State,
    cx: &mut Context<'_>,
) -> Option<Open> {
    let is_pipe = state.trees.is_pipes(session, tree);
    let mut access = file::create_request(piece, is_pipe)?;
    access.share = state.trees.get(session, tree).cloned();
    let credentials = state.sessions.credentials(session);
    Some(Open::new(client, access, is_pipe, cx).within(session, tree, credentials))
}

fn write(
    client: Side,
    header: &Header,
    piece: &Piece<'_>,
    compound: &mut Compound,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Option<Asked> {
    let (id, extent) = file::write_request(piece)?;
    let target = remember(id, header, compound)?;
    let payload = piece.payload(extent.offset, extent.length as usize);
    if state.is_pipe(client, target, payload, cx) {
        // Calls are made when they are sent, not when their arrival is confirmed.
        state.piped(client, target, client, extent.length, payload, cx);
        return Some(Asked::Write(target, 0));
    }
    Some(Asked::Write(target, extent.length))
}

fn control(
    client: Side,
    header: &Header,
    piece: &Piece<'_>,
    compound: &mut Compound,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Option<Asked> {
    let request = ioctl::request(piece)?;
    let target = remember(request.file, header, compound)?;
    if request.code == ioctl::PIPE_TRANSCEIVE {
        state.piped(
            client,
            target,
            client,
            request.input_count,
            request.input,
            cx,
        );
        return Some(Asked::Transceive(target));
    }
    let path = ioctl::referral(request.code, request.input).or_else(|| match target {
        Target::File(key) => state.files.path(key),
        Target::OpenedBy(_) => None,
    });
    Some(Asked::Ioctl(Box::new(Ioctl {
        code: request.code,
        name: control_name(request.code),
        share: state.trees.get(compound.session, compound.tree).cloned(),
        path,
        status: None,
    })))
}

/// The file that a command is about, which those behind it may be about too.
fn remember(id: file::FileId, header: &Header, compound: &mut Compound) -> Option<Target> {
    compound.file = target(id, header, compound);
    compound.file
}
