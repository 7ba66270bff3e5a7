//! The header of a message ([MS-CIFS] 2.2.3.1).

use crate::flow::Side;
use crate::wire::{Order, Wire};

/// Its length.
pub(super) const HEADER: usize = 32;

/// `SMB_FLAGS_REPLY`
const FLAG_ANSWER: u8 = 0x80;
/// `SMB_FLAGS2_SMB_SECURITY_SIGNATURE`
const FLAG_SIGNED: u16 = 0x0004;
/// `SMB_FLAGS2_NT_STATUS`
const FLAG_NT_STATUS: u16 = 0x4000;
/// `SMB_FLAGS2_UNICODE`
const FLAG_UNICODE: u16 = 0x8000;

/// Commands ([MS-CIFS] 2.2.2.1).
pub(super) mod command {
    pub(crate) const OPEN: u8 = 0x02;
    pub(crate) const CREATE: u8 = 0x03;
    pub(crate) const CLOSE: u8 = 0x04;
    pub(crate) const DELETE: u8 = 0x06;
    pub(crate) const RENAME: u8 = 0x07;
    pub(crate) const CREATE_NEW: u8 = 0x0f;
    pub(crate) const TRANSACTION: u8 = 0x25;
    pub(crate) const TRANSACTION_SECONDARY: u8 = 0x26;
    pub(crate) const OPEN_ANDX: u8 = 0x2d;
    pub(crate) const READ_ANDX: u8 = 0x2e;
    pub(crate) const WRITE_ANDX: u8 = 0x2f;
    pub(crate) const TRANSACTION2: u8 = 0x32;
    pub(crate) const TRANSACTION2_SECONDARY: u8 = 0x33;
    pub(crate) const TREE_CONNECT: u8 = 0x70;
    pub(crate) const TREE_DISCONNECT: u8 = 0x71;
    pub(crate) const NEGOTIATE: u8 = 0x72;
    pub(crate) const SESSION_SETUP_ANDX: u8 = 0x73;
    pub(crate) const LOGOFF_ANDX: u8 = 0x74;
    pub(crate) const TREE_CONNECT_ANDX: u8 = 0x75;
    pub(crate) const NT_TRANSACT: u8 = 0xa0;
    pub(crate) const NT_TRANSACT_SECONDARY: u8 = 0xa1;
    pub(crate) const NT_CREATE_ANDX: u8 = 0xa2;
}

/// `STATUS_MORE_PROCESSING_REQUIRED`, [MS-ERREF] 2.3.1.
pub(super) const MORE_PROCESSING_REQUIRED: u32 = 0xc000_0016;
/// `ERRDOS` and `ERRmoredata`: more of a pipe's message follows ([MS-CIFS] 2.2.2.4).
const DOS_MORE_DATA: u32 = 0x00ea_0001;

/// A message's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) command: u8,
    /// An NTSTATUS; or an error of DOS, whose class is in its lowest byte and whose code is in its
    /// upper half, as [MS-CIFS] 2.2.2.4 writes those that have no NTSTATUS.
    pub(super) status: u32,
    flags: u8,
    flags2: u16,
    pub(super) pid: u32,
    pub(super) tid: u16,
    pub(super) uid: u16,
    pub(super) mid: u16,
}

impl Header {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut wire = Wire::new(bytes, Order::Little);
        wire.take(4)?;
        let command = wire.u8()?;
        let status = wire.u32()?;
        let flags = wire.u8()?;
        let flags2 = wire.u16()?;
        let pid_high = wire.u16()?;
        wire.take(8 + 2)?;
        let tid = wire.u16()?;
        let pid_low = wire.u16()?;
        Some(Self {
            command,
            status,
            flags,
            flags2,
            pid: u32::from(pid_high) << 16 | u32::from(pid_low),
            tid,
            uid: wire.u16()?,
            mid: wire.u16()?,
        })
    }

    /// What pairs an answer with its request ([MS-CIFS] 3.2.4.1.5).
    pub(super) fn id(&self) -> u64 {
        u64::from(self.pid) << 16 | u64::from(self.mid)
    }

    pub(super) fn place(&self) -> (u64, u32) {
        (self.uid.into(), self.tid.into())
    }

    pub(super) fn is_answer(&self) -> bool {
        self.flags & FLAG_ANSWER != 0
    }

    pub(super) fn is_signed(&self) -> bool {
        self.flags2 & FLAG_SIGNED != 0
    }

    pub(super) fn is_unicode(&self) -> bool {
        self.flags2 & FLAG_UNICODE != 0
    }

    /// The client, where this came from `side`.
    pub(super) fn client(&self, side: Side) -> Side {
        if self.is_answer() { side.other() } else { side }
    }

    /// The status of an answer that refuses.
    pub(super) fn refusal(&self) -> Option<u32> {
        let refuses = if self.flags2 & FLAG_NT_STATUS != 0 {
            // An error; or one of SMB's own, which look like a success ([MS-CIFS] 2.2.2.4).
            self.status >> 30 == 3 || self.status >> 30 == 0 && self.status > 0xffff
        } else {
            self.status & 0xff != 0 && self.status != DOS_MORE_DATA
        };
        refuses.then_some(self.status)
    }
}
