//! What can go wrong, in words for people, and the exit status that goes with it.

use std::path::Path;

/// A failure: one clear line that says what, where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Arguments or configuration are wrong; exit status 2.
    #[error("{0}")]
    Configuration(String),
    /// The system does not let us; exit status 77.
    #[error("{0}")]
    Privilege(String),
    /// Anything else that fails while working; exit status 1.
    #[error("{0}")]
    Runtime(String),
    /// The store refuses; exit status 1.
    #[error("the store: {0}")]
    Store(#[from] rusqlite::Error),
}

/// The console's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The exit status that tells scripts and systemd what kind of failure this is.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Runtime(_) | Self::Store(_) => 1,
            Self::Configuration(_) => 2,
            Self::Privilege(_) => 77,
        }
    }

    /// A failed system call on `path`; lacking permission is told apart from the rest.
    pub fn io(what: &str, path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        let line = format!("cannot {what} {}: {error}", path.display());
        match error.kind() {
            PermissionDenied | ReadOnlyFilesystem => Self::Privilege(line),
            _ => Self::Runtime(line),
        }
    }

    /// Whether the disk has no room for the store, so that waiting for room is all one can do.
    pub fn is_full(&self) -> bool {
        use rusqlite::ErrorCode;
        matches!(self, Self::Store(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_permission_is_not_a_broken_disk() {
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let error = Error::io("write", Path::new("/var/lib/x"), &denied);
        assert_eq!(error.exit_code(), 77);
        assert!(error.to_string().starts_with("cannot write /var/lib/x: "));
        let other = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert_eq!(Error::io("write", Path::new("x"), &other).exit_code(), 1);
    }
}
