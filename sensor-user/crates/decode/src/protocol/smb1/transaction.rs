//! Transactions: messages that carry parameters and data, perhaps in several parts ([MS-CIFS]
//! 2.2.4.33, 2.2.4.34, 2.2.4.46, 2.2.4.47, 2.2.4.62, 2.2.4.63).

use goshawk_model::smb::Transaction;

use super::block::Block;
use super::header::{Header, command};
use super::strings::Strings;
use crate::protocol::smb::Piece;
use crate::wire::Wire;

/// A message of a transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    pub(super) total_parameters: u32,
    pub(super) total_data: u32,
    pub(super) parameter_count: u32,
    pub(super) data_count: u32,
    pub(super) parameters: &'a [u8],
    pub(super) data: &'a [u8],
}

/// The message that begins one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Primary<'a> {
    pub(super) part: Part<'a>,
    /// NT_TRANSACT's `Function`; else the first word of `setup`.
    pub(super) subcommand: Option<u16>,
    pub(super) setup: Wire<'a>,
}

/// The widths and order of counts differ.
enum Layout {
    Short,
    Long,
}

pub(super) fn primary<'a>(block: &Block<'a>, piece: &Piece<'a>) -> Option<Primary<'a>> {
    let mut wire = block.words();
    if block.command == command::NT_TRANSACT {
        // MaxSetupCount, Reserved1.
        wire.take(1 + 2)?;
        let totals = (wire.u32()?, wire.u32()?);
        // MaxParameterCount, MaxDataCount.
        wire.take(4 + 4)?;
        let part = part(totals, &mut wire, &Layout::Long, 0, piece)?;
        // SetupCount
        wire.take(1)?;
        let subcommand = wire.u16();
        return Some(Primary {
            part,
            subcommand,
            setup: wire,
        });
    }
    let totals = (wire.u16()?.into(), wire.u16()?.into());
    // MaxParameterCount, MaxDataCount, MaxSetupCount, Reserved1, Flags, Timeout, Reserved2.
    wire.take(2 + 2 + 1 + 1 + 2 + 4 + 2)?;
    let part = part(totals, &mut wire, &Layout::Short, 0, piece)?;
    // SetupCount, Reserved3.
    wire.take(1 + 1)?;
    let subcommand = wire.u16();
    Some(Primary {
        part,
        subcommand,
        setup: wire,
    })
}

pub(super) fn secondary<'a>(block: &Block<'a>, piece: &Piece<'a>) -> Option<Part<'a>> {
    let mut wire = block.words();
    if block.command == command::NT_TRANSACT_SECONDARY {
        wire.take(3)?;
        let totals = (wire.u32()?, wire.u32()?);
        return part(totals, &mut wire, &Layout::Long, 4, piece);
    }
    let totals = (wire.u16()?.into(), wire.u16()?.into());
    part(totals, &mut wire, &Layout::Short, 2, piece)
}

/// What the server answers.
pub(super) fn answer<'a>(block: &Block<'a>, piece: &Piece<'a>) -> Option<Part<'a>> {
    let mut wire = block.words();
    if block.command == command::NT_TRANSACT {
        wire.take(3)?;
        let totals = (wire.u32()?, wire.u32()?);
        return part(totals, &mut wire, &Layout::Long, 4, piece);
    }
    let totals = (wire.u16()?.into(), wire.u16()?.into());
    wire.take(2)?;
    part(totals, &mut wire, &Layout::Short, 2, piece)
}

/// Counts and offsets of parameters and data, each with `displacement` bytes behind.
fn part<'a>(
    (total_parameters, total_data): (u32, u32),
    wire: &mut Wire<'_>,
    layout: &Layout,
    displacement: usize,
    piece: &Piece<'a>,
) -> Option<Part<'a>> {
    let number = |wire: &mut Wire<'_>| match layout {
        Layout::Short => wire.u16().map(u32::from),
        Layout::Long => wire.u32(),
    };
    let (parameter_count, parameter_offset) = (number(wire)?, number(wire)?);
    wire.take(displacement)?;
    let (data_count, data_offset) = (number(wire)?, number(wire)?);
    wire.take(displacement)?;
    Some(Part {
        total_parameters,
        total_data,
        parameter_count,
        data_count,
        parameters: piece.payload(parameter_offset as usize, parameter_count as usize),
        data: piece.payload(data_offset as usize, data_count as usize),
    })
}

/// A transaction as its first message states it; `None` stands for one that was not seen.
pub(super) fn describe(
    header: &Header,
    block: &Block<'_>,
    primary: Option<&Primary<'_>>,
) -> Transaction {
    let setup = primary
        .map(|primary| primary.setup.rest())
        .unwrap_or_default();
    let is_for_pipe = block.command == command::TRANSACTION;
    let name = primary
        .filter(|_| is_for_pipe)
        .map(|_| Strings::new(block, 0, header.is_unicode()).next());
    let mut transaction = Transaction {
        command: block.command,
        subcommand: primary.and_then(|primary| primary.subcommand),
        fid: setup
            .first_chunk()
            .filter(|_| is_for_pipe)
            .map(|fid| u16::from_le_bytes(*fid)),
        name,
        pid: header.pid,
        mid: header.mid,
        ..Transaction::default()
    };
    if let Some(Primary { part, .. }) = primary {
        transaction.total_parameters = part.total_parameters;
        transaction.total_data = part.total_data;
        transaction.parameters = part.parameter_count;
        transaction.data = part.data_count;
    }
    transaction
}

/// Adds a message that goes on with it.
pub(super) fn add(transaction: &mut Transaction, command: u8, part: &Part<'_>) {
    transaction.secondary.get_or_insert(command);
    transaction.secondaries = transaction.secondaries.saturating_add(1);
    transaction.parameters = transaction.parameters.saturating_add(part.parameter_count);
    transaction.data = transaction.data.saturating_add(part.data_count);
}
