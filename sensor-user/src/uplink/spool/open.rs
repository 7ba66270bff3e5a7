//! How the spool's file is opened, made, and set aside when it is damaged.
//!
//! SQLite in WAL mode, because several processes read while the daemon writes, and what is
//! committed survives `kill -9` and a power cut (`synchronous=FULL`).

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tracing::warn;

use super::error::SpoolError;
use super::store::Spool;
use crate::uplink::files::{PRIVATE, adopt, with_suffix};

/// The spool's file name in the state directory.
const FILE: &str = "spool.db";
/// The layout of the tables (`PRAGMA user_version`).
const LAYOUT: i64 = 1;
/// How long a statement waits for another process that writes.
const PATIENCE: Duration = Duration::from_secs(5);
/// What the write-ahead log shrinks to after a checkpoint, bytes.
const WAL_LIMIT: i64 = 4 << 20;

/// `AUTOINCREMENT`, so that a sequence is never used twice, also after evictions.
const TABLES: &str = "
    CREATE TABLE spool (id TEXT NOT NULL, acknowledged INTEGER NOT NULL) STRICT;
    INSERT INTO spool VALUES (lower(hex(randomblob(16))), 0);
    CREATE TABLE item (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        alert BLOB NOT NULL,
        revision INTEGER NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE INDEX item_alert ON item (alert, revision);
    PRAGMA user_version = 1;
";

/// Where the spool lies in a state directory.
pub fn spool_path(state_dir: &Path) -> PathBuf {
    state_dir.join(FILE)
}

impl Spool {
    /// Opens the spool, or makes one. A damaged file, or one of a later build, is set aside as
    /// `spool.db.damaged` and a new one begun: a sensor never refuses to start for it.
    ///
    /// # Errors
    /// If the file cannot be read, written or made.
    pub fn open(path: &Path) -> Result<Self, SpoolError> {
        match Self::open_checked(path) {
            Err(error) if error.is_damage() => {
                Self::set_aside(path, &error)?;
                Self::open_checked(path)
            }
            opened => opened,
        }
    }

    /// Moves a damaged spool out of the way, over the one that was set aside before.
    ///
    /// # Errors
    /// If it cannot be renamed.
    pub fn set_aside(path: &Path, why: &SpoolError) -> Result<(), SpoolError> {
        let aside = with_suffix(path, ".damaged");
        for part in ["", "-wal", "-shm"] {
            match fs::rename(with_suffix(path, part), with_suffix(&aside, part)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(SpoolError::io(path, &error));
                }
                _ => {}
            }
        }
        warn!(
            "{why}; it is now {} and a new spool begins: alerts that the console had not yet are in there",
            aside.display()
        );
        Ok(())
    }

    /// Opens a spool that its daemon has made, without checking it through.
    ///
    /// # Errors
    /// If it is not there, or cannot be read or written.
    pub fn open_existing(path: &Path) -> Result<Self, SpoolError> {
        Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    /// Opens the spool beside a daemon that may be writing, to read alone.
    ///
    /// # Errors
    /// If it is not there or cannot be read.
    pub fn open_to_read(path: &Path) -> Result<Self, SpoolError> {
        Self::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    fn open_checked(path: &Path) -> Result<Self, SpoolError> {
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(PRIVATE)
            .open(path)
            .and_then(|_| adopt(path))
            .map_err(|error| SpoolError::io(path, &error))?;
        let mut spool = Self::open_existing(path)?;
        spool.prepare()?;
        Ok(spool)
    }

    fn connect(path: &Path, access: OpenFlags) -> Result<Self, SpoolError> {
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let inode = inode(path).map_err(|error| SpoolError::io(path, &error))?;
        let db = Connection::open_with_flags(path, flags)
            .and_then(|db| {
                db.busy_timeout(PATIENCE)?;
                db.pragma_update(None, "synchronous", "FULL")?;
                db.pragma_update(None, "journal_size_limit", WAL_LIMIT)?;
                Ok(db)
            })
            .map_err(|error| SpoolError::sqlite(path, &error))?;
        Ok(Self {
            db,
            path: path.to_owned(),
            inode,
        })
    }

    /// Makes the tables where there are none, and looks the file through.
    fn prepare(&mut self) -> Result<(), SpoolError> {
        let path = self.path.clone();
        let wrong = |error| SpoolError::sqlite(&path, &error);
        self.db
            .pragma_update(None, "journal_mode", "WAL")
            .map_err(wrong)?;
        let layout = |db: &Connection| db.query_row("PRAGMA user_version", [], |row| row.get(0));
        if layout(&self.db).map_err(wrong)? == 0_i64 {
            self.write(|tx| tx.execute_batch(TABLES))?;
        }
        let found: i64 = layout(&self.db).map_err(wrong)?;
        if found != LAYOUT {
            return Err(SpoolError::damaged(
                &path,
                &format!("its layout is {found}, and this build knows {LAYOUT}"),
            ));
        }
        let verdict: String = self
            .db
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(wrong)?;
        if verdict != "ok" {
            return Err(SpoolError::damaged(&path, &verdict));
        }
        self.id().map(drop)
    }
}

/// Which file is at the path.
pub(super) fn inode(path: &Path) -> io::Result<u64> {
    fs::metadata(path).map(|found| found.ino())
}
