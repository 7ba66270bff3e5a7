//! What the engine knows, kept across restarts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::files::write_atomically;

/// A snapshot larger than this (bytes) is not read: the engine's tables are bounded far below.
const MAX_SNAPSHOT: u64 = 512 << 20;

/// Keeps the engine's snapshot in `state_dir`, replacing the one before at a stroke.
///
/// # Errors
/// What the file system says; then the snapshot before is still there.
pub fn save_snapshot(state_dir: &Path, snapshot: &[u8]) -> io::Result<()> {
    write_atomically(&path(state_dir), snapshot)
}

/// The snapshot kept last, `None` if there is none.
///
/// # Errors
/// If it is there and cannot be read, or is too large to be one.
pub fn load_snapshot(state_dir: &Path) -> io::Result<Option<Vec<u8>>> {
    let path = path(state_dir);
    match fs::metadata(&path) {
        Ok(found) if found.len() > MAX_SNAPSHOT => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{} bytes are no snapshot of an engine", found.len()),
        )),
        Ok(_) => fs::read(&path).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("engine.snapshot")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_snapshot_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load_snapshot(dir.path()).unwrap(), None);
        save_snapshot(dir.path(), b"one").unwrap();
        save_snapshot(dir.path(), b"two").unwrap();
        assert_eq!(load_snapshot(dir.path()).unwrap().unwrap(), b"two");
    }

    #[test]
    fn what_cannot_be_a_snapshot_is_refused_unread() {
        let dir = tempfile::tempdir().unwrap();
        let file = fs::File::create(path(dir.path())).unwrap();
        file.set_len(MAX_SNAPSHOT + 1).unwrap();
        assert!(load_snapshot(dir.path()).is_err());
    }
}
