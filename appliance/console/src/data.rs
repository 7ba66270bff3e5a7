//! The data directory: where it is, that nobody else reads it, that one console works in it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// User ids below this are the system's (`/etc/login.defs`: `UID_MIN`).
const FIRST_PERSON: u32 = 1000;

/// Where everything the console keeps lives.
#[derive(Clone, Debug)]
pub struct DataDir(PathBuf);

/// Held by the running console for as long as it runs; the kernel lets go of it at kill -9.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl DataDir {
    /// The directory that suits who runs the console: systemd's `StateDirectory=` where given,
    /// `/var/lib/goshawk-console` for root and system users, the user's own data otherwise.
    ///
    /// # Errors
    /// If a person runs the console and has neither `XDG_DATA_HOME` nor `HOME`.
    pub fn usual() -> Result<PathBuf> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        if let Some(state) = variable("STATE_DIRECTORY") {
            return Ok(state.into());
        }
        if nix::unistd::geteuid().as_raw() < FIRST_PERSON {
            return Ok("/var/lib/goshawk-console".into());
        }
        let data = variable("XDG_DATA_HOME")
            .map(PathBuf::from)
            .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".local/share")));
        data.map(|data| data.join("goshawk-console"))
            .ok_or_else(|| {
                Error::Configuration(
                    "neither XDG_DATA_HOME nor HOME is set: pass --data DIR".into(),
                )
            })
    }

    /// Opens the directory, made with mode 0700 if it is missing.
    ///
    /// # Errors
    /// If it cannot be made or written to, or others may look into it: the CA's key lives there.
    pub fn create(path: &Path) -> Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|error| Error::io("create", path, &error))?;
        let data = Self::open(path)?;
        let probe = data.file(".write-test");
        write_private(&probe, b"").and_then(|()| {
            fs::remove_file(&probe).map_err(|error| Error::io("remove", &probe, &error))
        })?;
        Ok(data)
    }

    /// Opens a directory that must be there already.
    ///
    /// # Errors
    /// If there is none, or others may look into it.
    pub fn open(path: &Path) -> Result<Self> {
        let metadata = fs::metadata(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::Configuration(format!(
                "no console has been started in {} yet: start one with 'goshawk-console run', \
                 or pass its --data DIR",
                path.display()
            )),
            _ => Error::io("open", path, &error),
        })?;
        if !metadata.is_dir() {
            return Err(Error::Configuration(format!(
                "{} is not a directory",
                path.display()
            )));
        }
        if metadata.mode() & 0o077 != 0 {
            return Err(Error::Configuration(format!(
                "others may look into {0}, where the console's keys live: chmod 0700 {0}",
                path.display()
            )));
        }
        Ok(Self(path.to_owned()))
    }

    /// The directory's path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Takes the lock that one running console holds.
    ///
    /// # Errors
    /// If another console runs in this directory.
    pub fn lock(&self) -> Result<Lock> {
        let path = self.file("console.lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| Error::io("open", &path, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                // Only for the message: an unreadable file leaves the process unnamed.
                let _ = file.read_to_string(&mut owner);
                return Err(Error::Runtime(format!(
                    "another console (process {}) runs in {}",
                    owner.trim(),
                    self.0.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path, &error)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(|error| Error::io("write", &path, &error))?;
        Ok(Lock { _file: file })
    }

    /// Whether a console runs in this directory now.
    pub fn is_locked(&self) -> bool {
        File::open(self.file("console.lock"))
            .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

/// Writes a file that only its owner reads, whole or not at all.
///
/// # Errors
/// If it cannot be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        // The name is on disk only when its directory is.
        path.parent()
            .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    };
    write().map_err(|error| Error::io("write", path, &error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_directory_is_private_and_takes_one_console() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a/b");
        let data = DataDir::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        assert!(!data.is_locked());
        let lock = data.lock().unwrap();
        assert!(data.is_locked());
        let error = DataDir::open(&path).unwrap().lock().unwrap_err();
        assert!(error.to_string().contains(&std::process::id().to_string()));
        drop(lock);
        data.lock().unwrap();
    }

    #[test]
    fn a_directory_that_others_read_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let error = DataDir::create(temp.path()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("chmod 0700"));
    }

    #[test]
    fn a_missing_directory_says_how_to_begin() {
        let temp = tempfile::tempdir().unwrap();
        let error = DataDir::open(&temp.path().join("none")).unwrap_err();
        assert!(error.to_string().contains("goshawk-console run"));
    }

    #[test]
    fn a_private_file_is_private() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("key");
        write_private(&path, b"x").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }
}
