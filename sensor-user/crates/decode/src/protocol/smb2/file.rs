//! What is done with files: CREATE, CLOSE, READ, WRITE, QUERY_DIRECTORY, SET_INFO ([MS-SMB2]
//! 2.2.13 to 2.2.22, 2.2.33, 2.2.39).

use goshawk_model::smb::FileAccess;

use super::header::HEADER;
use super::session::buffer;
use crate::protocol::smb::{
    Change, Extent, FileKey, Opened, Piece, create_action, disposition, file_info, pipe_name, utf16,
};
use crate::wire::{Order, Wire};

/// Create contexts whose names are kept.
const MAX_CONTEXTS: usize = 8;
/// Bytes of such a name: four letters, or a GUID.
const MAX_CONTEXT_NAME: usize = 16;
/// `FILE_DIRECTORY_FILE`
const OPTION_DIRECTORY: u32 = 1;
/// `FILE_ATTRIBUTE_DIRECTORY`, [MS-FSCC] 2.6.
const ATTRIBUTE_DIRECTORY: u32 = 0x10;

/// `FileId`, 2.2.14.1: its persistent and its volatile part.
pub(super) type FileId = (u64, u64);

/// In a compound: the file that the command before is about ([MS-SMB2] 3.2.4.1.4).
pub(super) const SAME_FILE: FileId = (u64::MAX, u64::MAX);

pub(super) fn create_request(piece: &Piece<'_>, is_pipe: Option<bool>) -> Option<FileAccess> {
    let mut wire = Wire::new(piece.bytes.get(HEADER..)?, Order::Little);
    // Up to SmbCreateFlags and Reserved.
    wire.take(2 + 1 + 1 + 4 + 8 + 8)?;
    let access = wire.u32()?;
    // FileAttributes and ShareAccess.
    wire.take(4 + 4)?;
    let disposition = disposition(wire.u32()?);
    let options = wire.u32()?;
    let name = utf16(buffer(piece, wire.u16()?, wire.u16()?)?);
    let (offset, length) = (wire.u32()? as usize, wire.u32()? as usize);
    let contexts = if length == 0 {
        &[]
    } else {
        piece.payload(offset, length)
    };
    let is_pipe = is_pipe == Some(true);
    Some(FileAccess {
        path: Some(if is_pipe { pipe_name(&name) } else { name }),
        directory: options & OPTION_DIRECTORY != 0,
        access,
        disposition,
        options,
        contexts: context_names(contexts),
        ..FileAccess::default()
    })
}

pub(super) fn create_answer(piece: &Piece<'_>, session: u64) -> Option<Opened> {
    let mut wire = Wire::new(piece.bytes.get(HEADER..)?, Order::Little);
    wire.take(2 + 1 + 1)?;
    let action = create_action(wire.u32()?);
    // Four times, and AllocationSize.
    wire.take(4 * 8 + 8)?;
    let size = wire.u64()?;
    let attributes = wire.u32()?;
    wire.take(4)?;
    Some(Opened {
        key: key(session, (wire.u64()?, wire.u64()?)),
        action,
        size,
        is_directory: attributes & ATTRIBUTE_DIRECTORY != 0,
    })
}

pub(super) fn close_request(piece: &Piece<'_>) -> Option<FileId> {
    file_id(piece, 2 + 2 + 4)
}

pub(super) fn read_request(piece: &Piece<'_>) -> Option<FileId> {
    file_id(piece, 2 + 1 + 1 + 4 + 8)
}

/// Bytes of a READ's answer in front of its payload.
pub(super) const READ_ANSWER: usize = HEADER + 16;

pub(super) fn read_answer(piece: &Piece<'_>) -> Option<Extent> {
    let mut wire = Wire::new(piece.bytes.get(HEADER..)?, Order::Little);
    wire.take(2)?;
    let offset = wire.u8()?;
    wire.take(1)?;
    Some(Extent {
        offset: offset.into(),
        length: wire.u32()?,
    })
}

/// Bytes of a WRITE in front of its payload.
pub(super) const WRITE_REQUEST: usize = HEADER + 48;

pub(super) fn write_request(piece: &Piece<'_>) -> Option<(FileId, Extent)> {
    let mut wire = Wire::new(piece.bytes.get(HEADER..)?, Order::Little);
    wire.take(2)?;
    let extent = Extent {
        offset: wire.u16()?.into(),
        length: wire.u32()?,
    };
    wire.take(8)?;
    Some(((wire.u64()?, wire.u64()?), extent))
}

/// The directory, and the pattern by which it is listed.
pub(super) fn query_directory_request(piece: &Piece<'_>) -> Option<(FileId, Change)> {
    let mut wire = Wire::new(piece.bytes.get(HEADER..)?, Order::Little);
    wire.take(2 + 1 + 1 + 4)?;
    let file = (wire.u64()?, wire.u64()?);
    let pattern = utf16(buffer(piece, wire.u16()?, wire.u16()?)?);
    Some((file, Change::Listed(pattern)))
}

/// The file, and what is changed of it, where that is told.
pub(super) fn set_info_request(piece: &Piece<'_>) -> Option<(FileId, Option<Change>)> {
    let mut wire = Wire::new(piece.bytes.get(HEADER..)?, Order::Little);
    wire.take(2)?;
    let (info_type, class) = (wire.u8()?, wire.u8()?);
    let length = wire.u32()? as usize;
    let offset = wire.u16()?.into();
    wire.take(2 + 4)?;
    let file = (wire.u64()?, wire.u64()?);
    let info = piece.payload(offset, length);
    let change = match (info_type, class) {
        (SECURITY, _) => Some(Change::Secured),
        (FILE, class) => file_info(class, info)?,
        _ => None,
    };
    Some((file, change))
}

/// `SMB2_0_INFO_FILE`
const FILE: u8 = 1;
/// `SMB2_0_INFO_SECURITY`
const SECURITY: u8 = 3;

fn file_id(piece: &Piece<'_>, offset: usize) -> Option<FileId> {
    let mut wire = Wire::new(piece.bytes.get(HEADER + offset..)?, Order::Little);
    Some((wire.u64()?, wire.u64()?))
}

pub(super) fn key(session: u64, (persistent, volatile): FileId) -> FileKey {
    FileKey {
        session,
        persistent,
        volatile,
    }
}

/// Names of create contexts, each of which tells where the next one is ([MS-SMB2] 2.2.13.2).
fn context_names(contexts: &[u8]) -> Vec<Box<str>> {
    let mut names = Vec::new();
    let mut rest = contexts;
    while names.len() < MAX_CONTEXTS {
        let mut wire = Wire::new(rest, Order::Little);
        let (Some(next), Some(offset), Some(length)) = (wire.u32(), wire.u16(), wire.u16()) else {
            break;
        };
        let name = rest
            .get(offset.into()..)
            .and_then(|rest| rest.get(..length.into()));
        names.extend(name.map(context_name));
        match rest.get(next as usize..) {
            Some(behind) if next > 0 => rest = behind,
            _ => break,
        }
    }
    names
}

/// Four letters, or a GUID, which are told in hexadecimal digits.
fn context_name(name: &[u8]) -> Box<str> {
    let name = name.get(..MAX_CONTEXT_NAME).unwrap_or(name);
    if name.iter().all(u8::is_ascii_alphanumeric) {
        String::from_utf8_lossy(name).into()
    } else {
        name.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
