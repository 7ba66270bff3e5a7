//! IOCTL ([MS-SMB2] 2.2.31 and 2.2.32): control codes, some of which carry a pipe's bytes.

use super::file::FileId;
use super::header::HEADER;
use crate::protocol::smb::{DFS_GET_REFERRALS, DFS_GET_REFERRALS_EX, Piece, utf16};
use crate::wire::{Order, Wire};

/// `FSCTL_PIPE_TRANSCEIVE`: a write and a read of a pipe at once.
pub(super) const PIPE_TRANSCEIVE: u32 = 0x0011_c017;
/// Bytes of an answer in front of its output.
pub(super) const ANSWER: usize = HEADER + 48;

/// A control code, and what comes with it.
pub(super) struct Request<'a> {
    pub(super) code: u32,
    pub(super) file: FileId,
    pub(super) input: &'a [u8],
    pub(super) input_count: u32,
}

/// What a control code gave back.
pub(super) struct Answered<'a> {
    pub(super) output: &'a [u8],
    pub(super) output_count: u32,
}

pub(super) fn request<'a>(piece: &Piece<'a>) -> Option<Request<'a>> {
    let mut wire = Wire::new(piece.bytes.get(HEADER..)?, Order::Little);
    wire.take(2 + 2)?;
    let code = wire.u32()?;
    let file = (wire.u64()?, wire.u64()?);
    let (offset, input_count) = (wire.u32()?, wire.u32()?);
    Some(Request {
        code,
        file,
        input: piece.payload(offset as usize, input_count as usize),
        input_count,
    })
}

pub(super) fn answer<'a>(piece: &Piece<'a>) -> Option<Answered<'a>> {
    let mut wire = Wire::new(piece.bytes.get(HEADER..)?, Order::Little);
    // CtlCode, FileId and the input, which is that of the request.
    wire.take(2 + 2 + 4 + 16 + 4 + 4)?;
    let (offset, output_count) = (wire.u32()?, wire.u32()?);
    Some(Answered {
        output: piece.payload(offset as usize, output_count as usize),
        output_count,
    })
}

/// The path that a referral is asked for ([MS-DFSC] 2.2.2 and 2.2.3); `None` for another code.
pub(super) fn referral(code: u32, input: &[u8]) -> Option<Box<str>> {
    let mut wire = Wire::new(input, Order::Little);
    // MaxReferralLevel
    wire.take(2)?;
    match code {
        DFS_GET_REFERRALS => Some(utf16(wire.rest())),
        DFS_GET_REFERRALS_EX => {
            // RequestFlags and RequestDataLength.
            wire.take(2 + 4)?;
            let length = wire.u16()?;
            Some(utf16(wire.take(length.into())?))
        }
        _ => None,
    }
}
