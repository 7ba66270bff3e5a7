//! Files that are whole or absent, whatever happens while they are written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

/// For the owner's eyes alone: keys, alerts, what the engine knows of a network.
pub(crate) const PRIVATE: u32 = 0o600;

/// Puts `bytes` at `path`, readable by its owner only: written beside, synced, renamed. A reader
/// finds the old bytes or the new ones, also after a power cut.
///
/// # Errors
/// What the file system says; then `path` is as it was.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = with_suffix(path, ".new");
    let written = write_synced(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // Half a file on a full disk helps nobody; the first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    written.and_then(|()| sync_parent(path))
}

/// Writes a new private file and waits until it is on disk.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // What a crash left here may have another mode.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(PRIVATE)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    adopt(path)
}

/// Gives `path` to the owner of its directory. `enroll` runs as root where the daemon has a user
/// of its own: what root makes in the daemon's state directory must be the daemon's.
pub(crate) fn adopt(path: &Path) -> io::Result<()> {
    let owner = fs::metadata(parent(path))?;
    let mine = fs::metadata(path)?;
    if nix::unistd::geteuid().is_root() && (mine.uid(), mine.gid()) != (owner.uid(), owner.gid()) {
        chown(path, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

/// Makes a rename or a removal in `path`'s directory survive a power cut.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    File::open(parent(path))?.sync_all()
}

/// `path` with `suffix` after its file name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(
            with_suffix(&path, ".new"),
            "left by a crash, world readable",
        )
        .unwrap();
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            PRIVATE
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_root_makes_belongs_to_the_directorys_owner() {
        let dir = tempfile::tempdir().unwrap();
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        chown(dir.path(), Some(1234), Some(1235)).unwrap();
        let path = dir.path().join("key");
        write_atomically(&path, b"one").unwrap();
        let made = fs::metadata(&path).unwrap();
        assert_eq!((made.uid(), made.gid()), (1234, 1235));
    }
}
