//! SESSION_SETUP and TREE_CONNECT ([MS-SMB2] 2.2.5, 2.2.6, 2.2.9, 2.2.10).

use goshawk_model::smb::{Share, ShareType};

use super::header::HEADER;
use crate::protocol::smb::{Piece, share_of, utf16};
use crate::wire::{Order, Wire};

/// `SMB2_SESSION_FLAG_BINDING`
const BINDING: u8 = 1;
/// `SMB2_SHAREFLAG_ENCRYPT_DATA`
const ENCRYPT_DATA: u32 = 0x8000;

/// What a client's message in a logon says.
pub(super) struct Asked<'a> {
    pub(super) binding: bool,
    pub(super) security_mode: u8,
    pub(super) previous: Option<u64>,
    pub(super) token: &'a [u8],
}

/// What a server's says.
pub(super) struct Answered<'a> {
    pub(super) guest: bool,
    pub(super) null: bool,
    pub(super) encrypted: bool,
    pub(super) token: &'a [u8],
}

/// What a server says of a share.
pub(super) struct Connected {
    pub(super) share_type: Option<ShareType>,
    pub(super) flags: u32,
}

impl Connected {
    pub(super) fn is_encrypted(&self) -> bool {
        self.flags & ENCRYPT_DATA != 0
    }
}

pub(super) fn setup_request<'a>(piece: &Piece<'a>) -> Option<Asked<'a>> {
    let mut wire = Wire::new(piece.bytes.get(HEADER..)?, Order::Little);
    wire.take(2)?;
    let flags = wire.u8()?;
    let security_mode = wire.u8()?;
    wire.take(4 + 4)?;
    let token = buffer(piece, wire.u16()?, wire.u16()?)?;
    let previous = wire.u64()?;
    Some(Asked {
        binding: flags & BINDING != 0,
        security_mode,
        previous: (previous != 0).then_some(previous),
        token,
    })
}

pub(super) fn setup_answer<'a>(piece: &Piece<'a>) -> Option<Answered<'a>> {
    let mut wire = Wire::new(piece.bytes.get(HEADER..)?, Order::Little);
    wire.take(2)?;
    let flags = wire.u16()?;
    Some(Answered {
        guest: flags & 1 != 0,
        null: flags & 2 != 0,
        encrypted: flags & 4 != 0,
        token: buffer(piece, wire.u16()?, wire.u16()?)?,
    })
}

pub(super) fn tree_request(piece: &Piece<'_>) -> Option<Share> {
    let mut wire = Wire::new(piece.bytes.get(HEADER..)?, Order::Little);
    wire.take(2 + 2)?;
    Some(share_of(&utf16(buffer(piece, wire.u16()?, wire.u16()?)?)))
}

pub(super) fn tree_answer(piece: &Piece<'_>) -> Option<Connected> {
    let mut wire = Wire::new(piece.bytes.get(HEADER..)?, Order::Little);
    wire.take(2)?;
    let share_type = match wire.u8()? {
        1 => Some(ShareType::Disk),
        2 => Some(ShareType::Pipe),
        3 => Some(ShareType::Print),
        _ => None,
    };
    wire.take(1)?;
    Some(Connected {
        share_type,
        flags: wire.u32()?,
    })
}

/// What an offset, counted from the header, and a length point to.
pub(super) fn buffer<'a>(piece: &Piece<'a>, offset: u16, length: u16) -> Option<&'a [u8]> {
    if length == 0 {
        return Some(&[]);
    }
    piece.bytes.get(offset.into()..)?.get(..length.into())
}
