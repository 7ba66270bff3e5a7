//! Values that mean the same in every version: how files are opened, and what is changed of them.

use goshawk_model::smb::{CreateAction, Disposition};

use super::open::Change;
use super::text::utf16;
use crate::wire::{Order, Wire};

/// `CreateAction`, [MS-SMB2] 2.2.14; SMB 1 has the same ([MS-CIFS] 2.2.4.64.2).
pub(crate) fn create_action(value: u32) -> Option<CreateAction> {
    Some(match value {
        0 => CreateAction::Superseded,
        1 => CreateAction::Opened,
        2 => CreateAction::Created,
        3 => CreateAction::Overwritten,
        _ => return None,
    })
}

/// `CreateDisposition`, [MS-SMB2] 2.2.13; SMB 1 has the same ([MS-CIFS] 2.2.4.64.1).
pub(crate) fn disposition(value: u32) -> Option<Disposition> {
    Some(match value {
        0 => Disposition::Supersede,
        1 => Disposition::Open,
        2 => Disposition::Create,
        3 => Disposition::OpenIf,
        4 => Disposition::Overwrite,
        5 => Disposition::OverwriteIf,
        _ => return None,
    })
}

/// File information that changes what a file is called, or whether it is: [MS-FSCC] 2.4.11,
/// 2.4.12, 2.4.42; `None` if it is malformed.
pub(crate) fn file_info(class: u8, info: &[u8]) -> Option<Option<Change>> {
    let mut wire = Wire::new(info, Order::Little);
    Some(match class {
        // FileRenameInformation, FileRenameInformationEx.
        10 | 65 => {
            // ReplaceIfExists or Flags, and RootDirectory.
            wire.take(8 + 8)?;
            let length = wire.u32()? as usize;
            let name = wire.rest();
            Some(Change::Renamed(utf16(name.get(..length).unwrap_or(name))))
        }
        // FileDispositionInformation, FileDispositionInformationEx.
        13 | 64 => Some(Change::Delete(wire.u8()? & 1 != 0)),
        _ => None,
    })
}
