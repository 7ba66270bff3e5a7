//! What can be wrong with the spool's file, in words.

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;

/// The spool cannot be used; the text is one clear line.
#[derive(Debug, thiserror::Error)]
#[error("the spool {path} {what}")]
pub struct SpoolError {
    path: String,
    what: String,
    damage: bool,
}

impl SpoolError {
    /// Whether the file is no spool, or no longer one: trying again will not help.
    pub fn is_damage(&self) -> bool {
        self.damage
    }

    pub(super) fn damaged(path: &Path, why: &str) -> Self {
        Self::new(path, format!("is damaged ({why})"), true)
    }

    pub(super) fn io(path: &Path, error: &io::Error) -> Self {
        let what = match error.kind() {
            io::ErrorKind::NotFound => {
                "is not there: has the sensor run with this state directory?".into()
            }
            io::ErrorKind::PermissionDenied => {
                "may not be opened by this user: run as root or as the sensor's user".into()
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FULL.into(),
            io::ErrorKind::ReadOnlyFilesystem => READ_ONLY.into(),
            _ => format!("cannot be used: {error}"),
        };
        Self::new(path, what, false)
    }

    pub(super) fn sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let what = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                return Self::damaged(path, &error.to_string());
            }
            Some(ErrorCode::DiskFull) => FULL.into(),
            Some(ErrorCode::ReadOnly) => READ_ONLY.into(),
            Some(ErrorCode::DatabaseBusy) => {
                "is locked by another process: do two sensors share a state directory?".into()
            }
            _ => format!("cannot be used: {error}"),
        };
        Self::new(path, what, false)
    }

    fn new(path: &Path, what: String, damage: bool) -> Self {
        Self {
            path: path.display().to_string(),
            what,
            damage,
        }
    }
}

const FULL: &str = "cannot be written, the disk is full: free some space there";
const READ_ONLY: &str =
    "cannot be written, it is read-only: check its permissions and its file system";
