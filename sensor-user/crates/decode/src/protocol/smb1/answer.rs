//! What servers answer.

use goshawk_model::smb::{SessionSetup, Share};

use super::block::Block;
use super::header::{Header, MORE_PROCESSING_REQUIRED, command};
use super::{file, negotiate, session, transaction};
use crate::flow::Side;
use crate::protocol::Context;
use crate::protocol::smb::{Answer, Asked, Opened, Piece, State};

/// Takes an answer; `None` if it is malformed.
pub(super) fn take(
    client: Side,
    header: &Header,
    blocks: &[Block<'_>],
    piece: &Piece<'_>,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Option<()> {
    let (session, tree) = header.place();
    let last = blocks.len().saturating_sub(1);
    let mut understood = Some(());
    for (index, block) in blocks.iter().enumerate() {
        let answer = Answer {
            client,
            id: header.id(),
            session,
            tree,
            // What refuses ends the chain.
            refusal: header.refusal().filter(|_| index == last),
        };
        understood = understood.and(one(&answer, header, block, piece, state, cx));
    }
    understood
}

fn one(
    answer: &Answer,
    header: &Header,
    block: &Block<'_>,
    piece: &Piece<'_>,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Option<()> {
    match block.command {
        command::NEGOTIATE => negotiated(answer, block, state, cx),
        command::SESSION_SETUP_ANDX => logged_on(answer, header, block, state, cx),
        command::TREE_CONNECT | command::TREE_CONNECT_ANDX => {
            connected(answer, block, state, cx);
            Some(())
        }
        command::NT_CREATE_ANDX => created(answer, block, file::create_answer, state, cx),
        command::OPEN_ANDX => created(answer, block, file::open_answer, state, cx),
        command::OPEN => created(answer, block, file::core_open_answer, state, cx),
        command::CREATE | command::CREATE_NEW => {
            created(answer, block, file::core_create_answer, state, cx)
        }
        command::READ_ANDX => read(answer, block, piece, state, cx),
        command::TRANSACTION | command::TRANSACTION2 | command::NT_TRANSACT => {
            transacted(answer, header, block, piece, state, cx)
        }
        _ => {
            let fits = |asked: &Asked| fits(block.command, asked);
            if let Some(request) = state.requests.take(answer.client, answer.id, fits) {
                state.answered(answer, request, cx);
            }
            Some(())
        }
    }
}

/// Whether a command's answer may answer this.
fn fits(command: u8, asked: &Asked) -> bool {
    match asked {
        Asked::Close(_) => command == command::CLOSE,
        Asked::Write(..) => command == command::WRITE_ANDX,
        Asked::Logoff => command == command::LOGOFF_ANDX,
        Asked::TreeDisconnect => command == command::TREE_DISCONNECT,
        Asked::Named(_) => matches!(command, command::DELETE | command::RENAME),
        _ => false,
    }
}

fn negotiated(
    answer: &Answer,
    block: &Block<'_>,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Option<()> {
    state.negotiate_answered(answer, |negotiate| negotiate::answer(block, negotiate), cx)
}

fn logged_on(
    answer: &Answer,
    header: &Header,
    block: &Block<'_>,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Option<()> {
    let goes_on = header.status == MORE_PROCESSING_REQUIRED;
    let told = session::setup_answer(block);
    let token = told.as_ref().map(|told| told.token);
    let note = |setup: &mut SessionSetup| {
        if let Some(told) = &told {
            (setup.guest, setup.signed) = (told.guest, header.is_signed());
        }
    };
    state.setup_answered(answer, goes_on, token, note, cx)
}

fn connected(answer: &Answer, block: &Block<'_>, state: &mut State, cx: &mut Context<'_>) {
    let is_tree = |asked: &Asked| matches!(asked, Asked::Tree(_));
    let request = state.requests.take(answer.client, answer.id, is_tree);
    let mut answer = *answer;
    let mut share = Share {
        server: None,
        name: None,
        share_type: None,
    };
    if answer.refusal.is_none() {
        if block.command == command::TREE_CONNECT {
            answer.tree = session::tree_id(block).map_or(answer.tree, u32::from);
        } else {
            share.share_type = session::tree_answer(block);
        }
    }
    state.connected(&answer, request, 0, false, share, cx);
}

fn created(
    answer: &Answer,
    block: &Block<'_>,
    parse: fn(&Block<'_>) -> Option<Opened>,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Option<()> {
    if answer.refusal.is_some() {
        state.created(answer, None, cx);
        return Some(());
    }
    let opened = parse(block);
    state.created(answer, opened, cx);
    opened.map(|_| ())
}

fn read(
    answer: &Answer,
    block: &Block<'_>,
    piece: &Piece<'_>,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Option<()> {
    let extent = || file::read_answer(block);
    state.read_answered(answer, piece, extent, cx)
}

fn transacted(
    answer: &Answer,
    header: &Header,
    block: &Block<'_>,
    piece: &Piece<'_>,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Option<()> {
    let client = answer.client;
    // Without words, and without refusing, the server asks for the rest ([MS-CIFS] 3.3.5.2.1).
    if answer.refusal.is_none() && block.word_count == 0 {
        return Some(());
    }
    let is_transaction = |asked: &Asked| {
        matches!(
            asked,
            Asked::Transceive(_)
                | Asked::Transaction(_)
                | Asked::Named(_)
                | Asked::Change(..)
                | Asked::Ioctl(_)
        )
    };
    let request = state.requests.take(client, answer.id, is_transaction).or_else(|| {
        // Under another id than it was asked, which no server does by itself.
        let mut request = state.requests.take_any(client, |asked| {
            matches!(asked, Asked::Transaction(it) if (it.command, it.pid) == (block.command, header.pid))
        })?;
        if let Asked::Transaction(transaction) = &mut request.asked {
            transaction.answer_mid = Some(header.mid);
        }
        Some(request)
    });
    let Some(request) = request else {
        return Some(());
    };
    if let (Asked::Transceive(target), None) = (&request.asked, answer.refusal) {
        let part = transaction::answer(block, piece)?;
        state.piped(
            client,
            *target,
            client.other(),
            part.data_count,
            part.data,
            cx,
        );
    }
    state.answered(answer, request, cx);
    Some(())
}
