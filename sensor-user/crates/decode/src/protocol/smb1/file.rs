//! What is done with files ([MS-CIFS] 2.2.4.5, 2.2.4.41 to 2.2.4.43, 2.2.4.64).

use goshawk_model::smb::{CreateAction, Disposition, FileAccess};

use super::block::Block;
use super::header::{HEADER, Header, command};
use super::strings::Strings;
use crate::protocol::smb::{Extent, FileKey, Opened, create_action, disposition, pipe_name};

/// Bytes of READ_ANDX's answer, and of WRITE_ANDX, that tell where the payload lies.
pub(super) const HEAD: usize = HEADER + 1 + 2 * 14 + 2;

/// `FILE_READ_DATA` and `FILE_WRITE_DATA`.
const READ_AND_WRITE: u32 = 3;

pub(super) fn key(fid: u16) -> FileKey {
    FileKey {
        session: 0,
        persistent: 0,
        volatile: fid.into(),
    }
}

/// NT_CREATE_ANDX
pub(super) fn create_request(
    header: &Header,
    block: &Block<'_>,
    is_pipe: Option<bool>,
) -> Option<FileAccess> {
    let mut wire = block.words();
    // Reserved, NameLength, Flags, RootDirectoryFID.
    wire.take(1 + 2 + 4 + 4)?;
    let access = wire.u32()?;
    // AllocationSize, ExtFileAttributes, ShareAccess.
    wire.take(8 + 4 + 4)?;
    let disposition = disposition(wire.u32()?);
    let options = wire.u32()?;
    let name = Strings::new(block, 0, header.is_unicode()).next();
    Some(FileAccess {
        path: Some(path(&name, is_pipe)),
        directory: options & 1 != 0,
        access,
        disposition,
        options,
        ..FileAccess::default()
    })
}

pub(super) fn create_answer(block: &Block<'_>) -> Option<Opened> {
    let mut wire = block.words();
    // OpLockLevel
    wire.take(1)?;
    let fid = wire.u16()?;
    let action = create_action(wire.u32()?);
    // Four times, ExtFileAttributes, AllocationSize.
    wire.take(4 * 8 + 4 + 8)?;
    let size = wire.u64()?;
    // ResourceType and NMPipeStatus.
    wire.take(2 + 2)?;
    Some(Opened {
        key: key(fid),
        action,
        size,
        is_directory: wire.u8()? != 0,
    })
}

/// OPEN_ANDX
pub(super) fn open_request(
    header: &Header,
    block: &Block<'_>,
    is_pipe: Option<bool>,
) -> Option<FileAccess> {
    let mut wire = block.words();
    // Flags
    wire.take(2)?;
    let access = access(wire.u16()?);
    // SearchAttrs, FileAttrs, CreationTime.
    wire.take(2 + 2 + 4)?;
    // OpenMode: what to do if it exists, and whether to create it.
    let mode = wire.u16()?;
    let disposition = match (mode & 3, mode & 0x10 != 0) {
        (0, _) => Disposition::Create,
        (1, false) => Disposition::Open,
        (1, true) => Disposition::OpenIf,
        (_, false) => Disposition::Overwrite,
        (_, true) => Disposition::OverwriteIf,
    };
    let name = Strings::new(block, 0, header.is_unicode()).next();
    Some(FileAccess {
        path: Some(path(&name, is_pipe)),
        access,
        disposition: Some(disposition),
        ..FileAccess::default()
    })
}

pub(super) fn open_answer(block: &Block<'_>) -> Option<Opened> {
    let mut wire = block.words();
    let fid = wire.u16()?;
    // FileAttrs and LastWriteTime.
    wire.take(2 + 4)?;
    let size = wire.u32()?.into();
    // AccessRights, ResourceType, NMPipeStatus.
    wire.take(2 + 2 + 2)?;
    let action = match wire.u16()? & 3 {
        1 => Some(CreateAction::Opened),
        2 => Some(CreateAction::Created),
        3 => Some(CreateAction::Overwritten),
        _ => None,
    };
    Some(Opened {
        key: key(fid),
        action,
        size,
        is_directory: false,
    })
}

/// OPEN, of the first clients, and of those who hope that nobody looks ([MS-CIFS] 2.2.4.3).
pub(super) fn core_open_request(
    header: &Header,
    block: &Block<'_>,
    is_pipe: Option<bool>,
) -> Option<FileAccess> {
    let name = Strings::new(block, 0, header.is_unicode()).next_marked();
    Some(FileAccess {
        path: Some(path(&name, is_pipe)),
        access: access(block.words().u16()?),
        disposition: Some(Disposition::Open),
        ..FileAccess::default()
    })
}

pub(super) fn core_open_answer(block: &Block<'_>) -> Option<Opened> {
    let mut wire = block.words();
    let fid = wire.u16()?;
    // FileAttrs and LastModified.
    wire.take(2 + 4)?;
    Some(Opened {
        key: key(fid),
        action: Some(CreateAction::Opened),
        size: wire.u32()?.into(),
        is_directory: false,
    })
}

/// CREATE, which empties a file that is there, and CREATE_NEW, which does not ([MS-CIFS] 2.2.4.4,
/// 2.2.4.16).
pub(super) fn core_create_request(
    header: &Header,
    block: &Block<'_>,
    is_pipe: Option<bool>,
) -> FileAccess {
    let name = Strings::new(block, 0, header.is_unicode()).next_marked();
    FileAccess {
        path: Some(path(&name, is_pipe)),
        access: READ_AND_WRITE,
        disposition: Some(match block.command {
            command::CREATE_NEW => Disposition::Create,
            _ => Disposition::OverwriteIf,
        }),
        ..FileAccess::default()
    }
}

pub(super) fn core_create_answer(block: &Block<'_>) -> Option<Opened> {
    Some(Opened {
        key: fid(block)?,
        action: (block.command == command::CREATE_NEW).then_some(CreateAction::Created),
        size: 0,
        is_directory: false,
    })
}

/// `AccessMode`: 0 reads, 1 writes, 2 both; told by the rights that they need.
fn access(mode: u16) -> u32 {
    match mode & 7 {
        0 => 1,
        1 => 2,
        _ => READ_AND_WRITE,
    }
}

/// The FID that CLOSE and READ_ANDX begin with.
pub(super) fn fid(block: &Block<'_>) -> Option<FileKey> {
    block.words().u16().map(key)
}

pub(super) fn read_answer(block: &Block<'_>) -> Option<Extent> {
    let mut wire = block.words();
    // Available, DataCompactionMode, Reserved1.
    wire.take(2 + 2 + 2)?;
    let (low, offset, high) = (wire.u16()?, wire.u16()?, wire.u16()?);
    Some(Extent {
        offset: offset.into(),
        length: u32::from(high) << 16 | u32::from(low),
    })
}

pub(super) fn write_request(block: &Block<'_>) -> Option<(FileKey, Extent)> {
    let mut wire = block.words();
    let key = key(wire.u16()?);
    // Offset, Timeout, WriteMode, Remaining.
    wire.take(4 + 4 + 2 + 2)?;
    let (high, low, offset) = (wire.u16()?, wire.u16()?, wire.u16()?);
    let extent = Extent {
        offset: offset.into(),
        length: u32::from(high) << 16 | u32::from(low),
    };
    Some((key, extent))
}

/// DELETE
pub(super) fn delete_request(header: &Header, block: &Block<'_>) -> FileAccess {
    FileAccess {
        path: Some(Strings::new(block, 0, header.is_unicode()).next_marked()),
        deleted: true,
        ..FileAccess::default()
    }
}

/// RENAME
pub(super) fn rename_request(header: &Header, block: &Block<'_>) -> FileAccess {
    let mut names = Strings::new(block, 0, header.is_unicode());
    FileAccess {
        path: Some(names.next_marked()),
        renamed_to: Some(names.next_marked()),
        ..FileAccess::default()
    }
}

/// A path as SMB 2 writes it, without a backslash in front.
pub(super) fn path(name: &str, is_pipe: Option<bool>) -> Box<str> {
    match is_pipe {
        Some(true) => pipe_name(name),
        _ => name.trim_start_matches('\\').into(),
    }
}
