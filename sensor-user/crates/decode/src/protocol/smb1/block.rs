//! A message's blocks: words and bytes, and those that an AndX chain puts behind ([MS-CIFS]
//! 2.2.3.2 to 2.2.3.4).

use super::header::{HEADER, Header, command};
use crate::protocol::smb::Piece;
use crate::wire::{Order, Wire};

/// Blocks of a chain that are read; no client sends more than a few.
const MAX_CHAIN: usize = 8;
/// No further command.
const NO_ANDX: u8 = 0xff;

/// The parameters and data of one command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<'a> {
    pub(super) command: u8,
    /// The words, behind the four bytes of AndX, if they begin with them.
    words: &'a [u8],
    /// `WordCount`
    pub(super) word_count: u8,
    /// What `ByteCount` bytes there are behind.
    pub(super) bytes: &'a [u8],
    /// Where they begin, counted from the header.
    pub(super) at: usize,
}

impl<'a> Block<'a> {
    pub(super) fn words(&self) -> Wire<'a> {
        Wire::new(self.words, Order::Little)
    }
}

/// The blocks of a message; `None` if the first is not there.
pub(super) fn chain<'a>(header: &Header, piece: &Piece<'a>) -> Option<Vec<Block<'a>>> {
    let mut blocks = Vec::new();
    let (mut command, mut at) = (header.command, HEADER);
    while blocks.len() < MAX_CHAIN {
        let Some((block, next)) = block(command, at, piece) else {
            break;
        };
        blocks.push(block);
        match next {
            // One that leads back would never end.
            Some((andx, offset)) if offset > at => (command, at) = (andx, offset),
            _ => break,
        }
    }
    (!blocks.is_empty()).then_some(blocks)
}

/// The block at `at`, and command and place of the next.
fn block<'a>(
    command: u8,
    at: usize,
    piece: &Piece<'a>,
) -> Option<(Block<'a>, Option<(u8, usize)>)> {
    let mut wire = Wire::new(piece.bytes.get(at..)?, Order::Little);
    let word_count = wire.u8()?;
    let mut words = wire.take(2 * usize::from(word_count))?;
    let mut next = None;
    if is_andx(command) && word_count >= 2 {
        let mut andx = Wire::new(words, Order::Little);
        let (following, _, offset) = (andx.u8()?, andx.u8()?, andx.u16()?);
        next = (following != NO_ANDX).then_some((following, offset.into()));
        words = andx.rest();
    }
    // A write of more than 64 KiB overflows it, so what is there counts.
    let byte_count = wire.u16().unwrap_or(0);
    let rest = wire.rest();
    let block = Block {
        command,
        words,
        word_count,
        bytes: rest.get(..byte_count.into()).unwrap_or(rest),
        at: at + 1 + 2 * usize::from(word_count) + 2,
    };
    Some((block, next))
}

fn is_andx(command: u8) -> bool {
    matches!(
        command,
        0x24 | command::OPEN_ANDX
            | command::READ_ANDX
            | command::WRITE_ANDX
            | command::SESSION_SETUP_ANDX
            | command::LOGOFF_ANDX
            | command::TREE_CONNECT_ANDX
            | command::NT_CREATE_ANDX
    )
}
