//! Everything the console keeps, in one SQLite file.
//!
//! One connection writes, behind a lock: SQLite takes one writer at a time anyway, and this way
//! nobody waits on a busy database without knowing. A few more connections read beside it, as
//! the write-ahead log allows. `synchronous = FULL` makes a committed transaction survive a
//! power cut; an acknowledgement is sent after the commit and never before.
//!
//! Each kind of row has its file here: the functions in them take a connection (or, where they
//! write, a transaction), so that callers say what belongs into one transaction.

pub mod alerts;
mod schema;
pub mod sensors;
pub mod sessions;
pub mod tokens;
pub mod users;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use goshawk_model::Timestamp;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::data::DataDir;
use crate::{Error, Result};

/// The file's name in the data directory.
const FILE: &str = "console.db";
/// Reading connections kept open; more are opened under load and closed after use.
const IDLE_READERS: usize = 4;
/// How long a verb of the command line may hold the database before others give up.
const BUSY: Duration = Duration::from_secs(5);

/// The store; clones share it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    path: std::path::PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store").field(&self.0.path).finish()
    }
}

impl Store {
    /// Opens the store of this data directory and brings its tables up to date.
    ///
    /// # Errors
    /// If the file cannot be opened, is no database, or was written by a later version.
    pub fn open(data: &DataDir) -> Result<Self> {
        let path = data.file(FILE);
        // Made here and not by SQLite, so that it is private from its first moment.
        if !path.exists() {
            crate::data::write_private(&path, b"")?;
        }
        let mut writer = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        writer.pragma_update(None, "journal_mode", "wal")?;
        writer.pragma_update(None, "synchronous", "full")?;
        schema::migrate(&mut writer)?;
        Ok(Self(Arc::new(Inner {
            path,
            writer: Mutex::new(writer),
            readers: Mutex::new(Vec::new()),
        })))
    }

    /// Runs `work` in one transaction and commits it; what fails leaves nothing behind. Blocks.
    ///
    /// # Errors
    /// What `work` returns, or that the transaction cannot be committed.
    pub fn write_now<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut writer = unpoisoned(&self.0.writer);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }

    /// Runs `work` on one consistent view. Blocks.
    ///
    /// # Errors
    /// What `work` returns.
    pub fn read_now<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = unpoisoned(&self.0.readers).pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => connect(&self.0.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
        };
        let view = reader.transaction()?;
        let value = work(&view)?;
        view.finish()?;
        let mut readers = unpoisoned(&self.0.readers);
        if readers.len() < IDLE_READERS {
            readers.push(reader);
        }
        Ok(value)
    }

    /// [`Store::write_now`] off the asynchronous threads.
    ///
    /// # Errors
    /// As [`Store::write_now`].
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = self.clone();
        off_thread(move || store.write_now(work)).await
    }

    /// [`Store::read_now`] off the asynchronous threads.
    ///
    /// # Errors
    /// As [`Store::read_now`].
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = self.clone();
        off_thread(move || store.read_now(work)).await
    }

    /// What SQLite's own check of the file says; `None` when all is well. Blocks.
    ///
    /// # Errors
    /// If the check cannot run.
    pub fn damage(&self) -> Result<Option<String>> {
        self.read_now(|connection| {
            let verdict: String =
                connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            Ok((verdict != "ok").then_some(verdict))
        })
    }
}

/// Runs blocking `work` on the pool made for that.
///
/// # Errors
/// What `work` returns, or that the runtime is going down.
pub async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Error::Runtime(format!("work was broken off: {error}"))))
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

/// A panic while the lock was held rolled its transaction back: the connection is still sound.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As SQLite keeps it; times after 2262 read as 2262.
fn to_sql(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

/// What [`to_sql`] wrote.
fn from_sql(nanos: i64) -> Timestamp {
    Timestamp::from_nanos(nanos.try_into().unwrap_or(0))
}

#[cfg(test)]
pub(crate) mod testing {
    //! A store for a test.

    use super::*;

    /// A new store; it goes with the directory.
    pub(crate) fn store() -> (tempfile::TempDir, Store) {
        let temp = tempfile::tempdir().unwrap();
        let data = DataDir::create(&temp.path().join("data")).unwrap();
        let store = Store::open(&data).unwrap();
        (temp, store)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_leaves_nothing_behind() {
        let (_temp, store) = testing::store();
        let failed: Result<()> = store.write_now(|tx| {
            users::set_password(tx, "admin", "hash", true, Timestamp::ZERO)?;
            Err(Error::Runtime("no".into()))
        });
        assert!(failed.is_err());
        assert!(
            store
                .read_now(|c| users::find(c, "admin"))
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn a_sound_file_shows_no_damage() {
        let (_temp, store) = testing::store();
        assert_eq!(store.damage().unwrap(), None);
    }

    #[test]
    fn a_full_disk_is_told_apart() {
        let (_temp, store) = testing::store();
        let result: Result<()> = store.write_now(|tx| {
            tx.pragma_update(None, "max_page_count", 1)?;
            tx.execute("CREATE TABLE big (x)", [])?;
            tx.execute("INSERT INTO big VALUES (zeroblob(1000000))", [])?;
            Ok(())
        });
        assert!(result.unwrap_err().is_full());
    }

    #[test]
    fn the_database_is_private() {
        use std::os::unix::fs::MetadataExt as _;
        let (temp, _store) = testing::store();
        let metadata = std::fs::metadata(temp.path().join("data").join(FILE)).unwrap();
        assert_eq!(metadata.mode() & 0o777, 0o600);
    }
}
