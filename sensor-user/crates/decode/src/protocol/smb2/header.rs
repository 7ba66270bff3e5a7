//! The header of a command ([MS-SMB2] 2.2.1).

use crate::flow::Side;
use crate::wire::{Order, Wire};

/// Its length.
pub(super) const HEADER: usize = 64;

/// `SMB2_FLAGS_SERVER_TO_REDIR`
const FLAG_ANSWER: u32 = 1;
/// `SMB2_FLAGS_ASYNC_COMMAND`
const FLAG_ASYNC: u32 = 2;
/// `SMB2_FLAGS_RELATED_OPERATIONS`
const FLAG_RELATED: u32 = 4;
/// `SMB2_FLAGS_SIGNED`
const FLAG_SIGNED: u32 = 8;

/// `Command`
pub(super) mod command {
    pub(crate) const NEGOTIATE: u16 = 0;
    pub(crate) const SESSION_SETUP: u16 = 1;
    pub(crate) const LOGOFF: u16 = 2;
    pub(crate) const TREE_CONNECT: u16 = 3;
    pub(crate) const TREE_DISCONNECT: u16 = 4;
    pub(crate) const CREATE: u16 = 5;
    pub(crate) const CLOSE: u16 = 6;
    pub(crate) const READ: u16 = 8;
    pub(crate) const WRITE: u16 = 9;
    pub(crate) const IOCTL: u16 = 11;
    pub(crate) const QUERY_DIRECTORY: u16 = 14;
    pub(crate) const SET_INFO: u16 = 17;
}

/// `Status` ([MS-ERREF] 2.3.1).
pub(super) mod status {
    pub(crate) const PENDING: u32 = 0x0000_0103;
    pub(crate) const MORE_PROCESSING_REQUIRED: u32 = 0xc000_0016;
}

/// A command's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) status: u32,
    pub(super) command: u16,
    flags: u32,
    /// Where the next command of a compound starts; 0 in the last.
    pub(super) next_command: u32,
    pub(super) message_id: u64,
    /// `TreeId`; of an asynchronous message there is none.
    pub(super) tree: Option<u32>,
    pub(super) session: u64,
}

impl Header {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut wire = Wire::new(bytes, Order::Little);
        wire.take(4)?;
        if usize::from(wire.u16()?) != HEADER {
            return None;
        }
        wire.take(2)?;
        let status = wire.u32()?;
        let command = wire.u16()?;
        wire.take(2)?;
        let flags = wire.u32()?;
        let next_command = wire.u32()?;
        let message_id = wire.u64()?;
        wire.take(4)?;
        let tree = wire.u32()?;
        let session = wire.u64()?;
        wire.take(16)?;
        Some(Self {
            status,
            command,
            flags,
            next_command,
            message_id,
            tree: (flags & FLAG_ASYNC == 0).then_some(tree),
            session,
        })
    }

    /// How much of a frame, of which `inside` bytes are left, this command takes.
    pub(super) fn extent(&self, inside: usize) -> usize {
        let next = self.next_command as usize;
        if (HEADER..inside).contains(&next) {
            next
        } else {
            inside
        }
    }

    pub(super) fn is_answer(&self) -> bool {
        self.flags & FLAG_ANSWER != 0
    }

    pub(super) fn is_related(&self) -> bool {
        self.flags & FLAG_RELATED != 0
    }

    pub(super) fn is_signed(&self) -> bool {
        self.flags & FLAG_SIGNED != 0
    }

    /// Whether it only says that the answer will take long ([MS-SMB2] 3.3.4.2).
    pub(super) fn is_interim(&self) -> bool {
        self.flags & FLAG_ASYNC != 0 && self.status == status::PENDING
    }

    /// The client, where this came from `side`.
    pub(super) fn client(&self, side: Side) -> Side {
        if self.is_answer() { side.other() } else { side }
    }

    /// The status of an answer that refuses: an error, and no warning or success.
    pub(super) fn refusal(&self) -> Option<u32> {
        (self.status >> 30 == 3).then_some(self.status)
    }
}
