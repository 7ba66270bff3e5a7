//! What clients ask.

use goshawk_model::Carrier;
use goshawk_model::smb::{FileAccess, Ioctl, SessionSetup, Transaction};

use super::block::Block;
use super::header::{Header, command};
use super::transaction::{self, Primary};
use super::{file, negotiate, session};
use crate::flow::Side;
use crate::protocol::Context;
use crate::protocol::security::Handshake;
use crate::protocol::smb::{
    Asked, Change, DFS_GET_REFERRALS, Open, Piece, Request, Setup, State, Target, control_name,
    file_info, utf16,
};
use crate::wire::{Order, Wire};

/// A pipe's subcommands in TRANSACTION ([MS-CIFS] 2.2.2.2): those that every client sends.
const SET_NMPIPE_STATE: u16 = 0x01;
const QUERY_NMPIPE_STATE: u16 = 0x21;
const QUERY_NMPIPE_INFO: u16 = 0x22;
const TRANSACT_NMPIPE: u16 = 0x26;

/// Subcommands of TRANSACTION2 ([MS-CIFS] 2.2.2.2).
const FIND_FIRST2: u16 = 0x01;
const SET_FILE_INFORMATION: u16 = 0x08;
const GET_DFS_REFERRAL: u16 = 0x10;
/// FIND_NEXT2, QUERY_FS_INFORMATION, QUERY_PATH_INFORMATION, SET_PATH_INFORMATION,
/// QUERY_FILE_INFORMATION, and that of a file: what clients do all day.
const EVERYDAY_TRANS2: [u16; 6] = [0x02, 0x03, 0x05, 0x06, 0x07, SET_FILE_INFORMATION];

/// Functions of NT_TRANSACT ([MS-CIFS] 2.2.2.2).
const NT_IOCTL: u16 = 0x02;
const NT_SET_SECURITY: u16 = 0x03;
/// NT_TRANSACT_NOTIFY_CHANGE and NT_TRANSACT_QUERY_SECURITY_DESC.
const EVERYDAY_NT: [u16; 2] = [0x04, 0x06];

/// Takes a request; `None` if it is malformed.
pub(super) fn take(
    client: Side,
    header: &Header,
    blocks: &[Block<'_>],
    piece: &Piece<'_>,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Option<()> {
    let mut opens = false;
    for block in blocks {
        let file = |key| {
            // Behind an open in the same chain, its file is meant ([MS-CIFS] 3.2.4.1.4).
            if opens {
                Target::OpenedBy(header.id())
            } else {
                Target::File(key)
            }
        };
        let asked = match block.command {
            command::NEGOTIATE => Asked::Negotiate(Box::new(negotiate::request(block))),
            command::SESSION_SETUP_ANDX => {
                Asked::Session(set_up(client, header, block, state, cx)?)
            }
            command::LOGOFF_ANDX => Asked::Logoff,
            command::TREE_CONNECT | command::TREE_CONNECT_ANDX => {
                Asked::Tree(Box::new(session::tree_request(header, block)?))
            }
            command::TREE_DISCONNECT => Asked::TreeDisconnect,
            command::NT_CREATE_ANDX
            | command::OPEN_ANDX
            | command::OPEN
            | command::CREATE
            | command::CREATE_NEW => {
                opens = true;
                let (session, tree) = header.place();
                let is_pipe = state.trees.is_pipes(session, tree);
                let access = match block.command {
                    command::NT_CREATE_ANDX => file::create_request(header, block, is_pipe)?,
                    command::OPEN_ANDX => file::open_request(header, block, is_pipe)?,
                    command::OPEN => file::core_open_request(header, block, is_pipe)?,
                    _ => file::core_create_request(header, block, is_pipe),
                };
                Asked::Create(open(client, header, access, state, cx))
            }
            command::CLOSE => Asked::Close(file(file::fid(block)?)),
            command::READ_ANDX => Asked::Read(file(file::fid(block)?)),
            command::WRITE_ANDX => {
                let (key, extent) = file::write_request(block)?;
                let target = file(key);
                let payload = piece.payload(extent.offset, extent.length as usize);
                if state.is_pipe(client, target, payload, cx) {
                    state.piped(client, target, client, extent.length, payload, cx);
                    Asked::Write(target, 0)
                } else {
                    Asked::Write(target, extent.length)
                }
            }
            command::DELETE => Asked::Named(open(
                client,
                header,
                file::delete_request(header, block),
                state,
                cx,
            )),
            command::RENAME => Asked::Named(open(
                client,
                header,
                file::rename_request(header, block),
                state,
                cx,
            )),
            command::TRANSACTION | command::TRANSACTION2 | command::NT_TRANSACT => {
                let primary = transaction::primary(block, piece)?;
                match transact(client, header, block, &primary, state, cx) {
                    Some(asked) => asked,
                    None => continue,
                }
            }
            command::TRANSACTION_SECONDARY
            | command::TRANSACTION2_SECONDARY
            | command::NT_TRANSACT_SECONDARY => {
                go_on(client, header, block, piece, state, cx)?;
                continue;
            }
            // Nothing in them that anybody asks for.
            _ => continue,
        };
        state.ask(client, header.id(), header.place(), asked, cx);
    }
    Some(())
}

/// A logon begins or goes on.
fn set_up(
    client: Side,
    header: &Header,
    block: &Block<'_>,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Option<Box<Setup>> {
    let asked = session::setup_request(header, block)?;
    let id = header.uid.into();
    let known = state.sessions.get(id);
    let renewed = known.as_ref().is_some_and(|session| session.is_valid);
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
    if let Some((mechanism, account)) = asked.claim {
        setup.told.null = account.is_none();
        setup.handshake.claim(mechanism, account, None);
    }
    if let Some(token) = asked.token {
        setup.handshake.client(client, token, cx);
    }
    setup.told.smb1 = Some(Box::new(asked.client));
    Some(setup)
}

/// Something that has a path is asked for.
fn open(
    client: Side,
    header: &Header,
    mut access: FileAccess,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Box<Open> {
    let (session, tree) = header.place();
    let is_pipe = state.trees.is_pipes(session, tree);
    access.share = state.trees.get(session, tree).cloned();
    for name in [&mut access.path, &mut access.renamed_to] {
        *name = name.take().map(|name| file::path(&name, is_pipe));
    }
    let credentials = state.sessions.credentials(session);
    Box::new(Open::new(client, access, is_pipe, cx).within(session, tree, credentials))
}

/// A transaction begins; `None` if it is everyday business that tells nothing.
fn transact(
    client: Side,
    header: &Header,
    block: &Block<'_>,
    primary: &Primary<'_>,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Option<Asked> {
    let Primary {
        part,
        subcommand,
        mut setup,
    } = *primary;
    let parameters = Wire::new(part.parameters, Order::Little);
    let is_whole =
        part.data_count >= part.total_data && part.parameter_count >= part.total_parameters;
    let fid = setup.u16();
    match (block.command, subcommand.unwrap_or(u16::MAX)) {
        (command::TRANSACTION, TRANSACT_NMPIPE) => {
            let target = Target::File(file::key(fid?));
            state.piped(client, target, client, part.data_count, part.data, cx);
            return Some(Asked::Transceive(target));
        }
        (command::TRANSACTION, SET_NMPIPE_STATE | QUERY_NMPIPE_STATE | QUERY_NMPIPE_INFO)
            if is_whole =>
        {
            return None;
        }
        (command::TRANSACTION2, FIND_FIRST2) if is_whole => {
            return find_first(header, parameters)
                .map(|access| Asked::Named(open(client, header, access, state, cx)));
        }
        (command::TRANSACTION2, SET_FILE_INFORMATION) if is_whole => {
            return set_file_information(parameters, part.data);
        }
        (command::TRANSACTION2, GET_DFS_REFERRAL) if is_whole => {
            let path = parameters.rest().get(2..).map(utf16);
            return Some(control(header, DFS_GET_REFERRALS, path, state));
        }
        (command::TRANSACTION2, subcommand)
            if is_whole && EVERYDAY_TRANS2.contains(&subcommand) =>
        {
            return None;
        }
        (command::NT_TRANSACT, NT_IOCTL) if is_whole => {
            let code = u32::from(setup.u16()?) << 16 | u32::from(fid?);
            let path = state.files.path(file::key(setup.u16()?));
            return Some(control(header, code, path, state));
        }
        (command::NT_TRANSACT, NT_SET_SECURITY) if is_whole => {
            let target = Target::File(file::key(Wire::new(part.parameters, Order::Little).u16()?));
            return Some(Asked::Change(target, Change::Secured));
        }
        (command::NT_TRANSACT, function) if is_whole && EVERYDAY_NT.contains(&function) => {
            return None;
        }
        _ => {}
    }
    Some(Asked::Transaction(described(
        header,
        block,
        Some(primary),
        state,
    )))
}

fn described(
    header: &Header,
    block: &Block<'_>,
    primary: Option<&Primary<'_>>,
    state: &mut State,
) -> Box<Transaction> {
    let (session, tree) = header.place();
    Box::new(Transaction {
        share: state.trees.get(session, tree).cloned(),
        ..transaction::describe(header, block, primary)
    })
}

/// A transaction goes on: a pipe's, or one that is told.
fn go_on(
    client: Side,
    header: &Header,
    block: &Block<'_>,
    piece: &Piece<'_>,
    state: &mut State,
    cx: &mut Context<'_>,
) -> Option<()> {
    let part = transaction::secondary(block, piece)?;
    let begun = |asked: &Asked| matches!(asked, Asked::Transceive(_) | Asked::Transaction(_));
    match state.requests.peek(client, header.id(), begun) {
        Some(Request {
            asked: Asked::Transceive(target),
            ..
        }) => {
            let target = *target;
            state.piped(client, target, client, part.data_count, part.data, cx);
        }
        Some(Request {
            asked: Asked::Transaction(known),
            ..
        }) => {
            transaction::add(known, block.command, &part);
        }
        _ => {
            // Its beginning was not seen, or was a message that nothing should follow.
            let mut transaction = described(header, block, None, state);
            transaction.total_parameters = part.total_parameters;
            transaction.total_data = part.total_data;
            transaction::add(&mut transaction, block.command, &part);
            state.ask(
                client,
                header.id(),
                header.place(),
                Asked::Transaction(transaction),
                cx,
            );
        }
    }
    Some(())
}

/// FIND_FIRST2 ([MS-CIFS] 2.2.6.2): a directory is listed by a pattern.
fn find_first(header: &Header, mut parameters: Wire<'_>) -> Option<FileAccess> {
    // SearchAttributes, SearchCount, Flags, InformationLevel, SearchStorageType.
    parameters.take(2 + 2 + 2 + 2 + 4)?;
    let pattern = if header.is_unicode() {
        utf16(parameters.rest())
    } else {
        crate::protocol::smb::oem(parameters.rest())
    };
    let (directory, pattern) = pattern.rsplit_once('\\').unwrap_or(("", &pattern));
    Some(FileAccess {
        path: Some(directory.into()),
        directory: true,
        listed: Some(pattern.into()),
        ..FileAccess::default()
    })
}

/// SET_FILE_INFORMATION ([MS-CIFS] 2.2.6.9); beyond 1000 its levels are those of SMB 2 ([MS-SMB]
/// 2.2.2.3.5).
fn set_file_information(mut parameters: Wire<'_>, data: &[u8]) -> Option<Asked> {
    const SET_FILE_DISPOSITION: u16 = 0x0102;
    const DISPOSITION: u8 = 13;
    let (fid, level) = (parameters.u16()?, parameters.u16()?);
    let class = match level {
        SET_FILE_DISPOSITION => DISPOSITION,
        level => u8::try_from(level.checked_sub(1000)?).ok()?,
    };
    let change = file_info(class, data)??;
    Some(Asked::Change(Target::File(file::key(fid)), change))
}

fn control(header: &Header, code: u32, path: Option<Box<str>>, state: &mut State) -> Asked {
    let (session, tree) = header.place();
    Asked::Ioctl(Box::new(Ioctl {
        code,
        name: control_name(code),
        share: state.trees.get(session, tree).cloned(),
        path,
        status: None,
    }))
}
