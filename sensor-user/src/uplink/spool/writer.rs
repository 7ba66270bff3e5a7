//! The thread that spools alerts.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use goshawk_model::Alert;
use tokio::sync::watch;

use super::error::SpoolError;
use super::open::spool_path;
use super::room::Room;
use super::store::Spool;
use crate::uplink::is_enrolled;
use crate::uplink::outbox::{Outbox, Sink};

/// Takes alerts and commits them within 50 ms, in the order they came.
///
/// While the disk is full, read-only or broken, alerts wait in memory (bounded), are tried again
/// and the trouble is a health problem; the sensor works on. Dropped, it writes what waits.
pub struct SpoolWriter {
    outbox: Outbox<Alert>,
    view: SpoolView,
    refused: Arc<AtomicU64>,
}

/// What the uplink needs of the spool: where it is, and when there is something new.
#[derive(Clone)]
pub(crate) struct SpoolView {
    /// The spool's file.
    pub(crate) path: PathBuf,
    /// The highest sequence committed, and the spool it counts in.
    pub(crate) committed: watch::Receiver<Committed>,
    /// Items that the console has not acknowledged.
    pub(crate) pending: Arc<AtomicU64>,
    /// Whether there is a console to wait for.
    pub(crate) awaits_console: Arc<AtomicBool>,
}

/// How far the spool reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Committed {
    /// The inode of the file: a damaged file is replaced while others have it open.
    pub(crate) generation: u64,
    /// Rises with every commit.
    pub(crate) sequence: u64,
}

impl SpoolWriter {
    /// Starts the thread, which opens or makes the spool in `state_dir`; `limit` bounds its file,
    /// in bytes ([`DEFAULT_LIMIT`](super::DEFAULT_LIMIT) unless configured). A spool that cannot be
    /// opened is a health problem, not an error.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(state_dir: &Path, limit: u64) -> io::Result<Self> {
        let (committed, watch) = watch::channel(Committed::default());
        let view = SpoolView {
            path: spool_path(state_dir),
            committed: watch,
            pending: Arc::default(),
            awaits_console: Arc::new(AtomicBool::new(is_enrolled(state_dir))),
        };
        let refused = Arc::default();
        let outbox = Outbox::start(
            "spool",
            Writer {
                view: view.clone(),
                limit,
                committed,
                refused: Arc::clone(&refused),
                spool: None,
                damage: None,
            },
        )?;
        Ok(Self {
            outbox,
            view,
            refused,
        })
    }

    /// Hands over an alert. Never waits for the disk.
    pub fn push(&self, alert: Alert) {
        self.outbox.push(alert);
    }

    /// Waits until all that was pushed is committed, but no longer than `within`; how many alerts
    /// are still only in memory.
    pub fn flush(&self, within: Duration) -> usize {
        self.outbox.flush(within)
    }

    /// Items that the console has not acknowledged.
    pub fn pending(&self) -> u64 {
        self.view.pending.load(Ordering::Relaxed)
    }

    /// Alerts refused since the start, because disk and memory, or the spool's limit, were full.
    pub fn refused(&self) -> u64 {
        self.outbox.refused() + self.refused.load(Ordering::Relaxed)
    }

    /// What is wrong with the spool, one clear line each.
    pub fn problems(&self) -> Vec<String> {
        let refused = Some(self.refused()).filter(|many| *many > 0).map(|many| {
            format!(
                "{many} alerts were refused since the start, because the spool {} was full: \
                 bring the console back, or raise the spool's limit",
                self.view.path.display()
            )
        });
        self.outbox.problem().into_iter().chain(refused).collect()
    }

    pub(crate) fn view(&self) -> SpoolView {
        self.view.clone()
    }
}

struct Writer {
    view: SpoolView,
    limit: u64,
    committed: watch::Sender<Committed>,
    refused: Arc<AtomicU64>,
    spool: Option<Spool>,
    /// Found while writing: the next attempt begins with a new file.
    damage: Option<SpoolError>,
}

impl Sink for Writer {
    type Entry = Alert;

    fn write(&mut self, batch: &[Alert]) -> Result<(), String> {
        self.commit(batch).map_err(|error| {
            let line = format!("{error}; alerts wait in memory until then");
            if error.is_damage() {
                self.spool = None;
                self.damage = Some(error);
            }
            line
        })
    }

    fn recovered(&self) -> String {
        format!("the spool {} is written again", self.view.path.display())
    }
}

impl Writer {
    fn commit(&mut self, batch: &[Alert]) -> Result<(), SpoolError> {
        let path = &self.view.path;
        if let Some(why) = self.damage.take()
            && let Err(error) = Spool::set_aside(path, &why)
        {
            self.damage = Some(why);
            return Err(error);
        }
        let spool = match self.spool.take().filter(|spool| !spool.is_orphan()) {
            Some(spool) => self.spool.insert(spool),
            None => self.spool.insert(Spool::open(path)?),
        };
        let room = Room {
            limit: self.limit,
            awaits_console: self.view.awaits_console.load(Ordering::Relaxed),
        };
        let pushed = spool.push(batch, room)?;
        self.refused.fetch_add(pushed.refused, Ordering::Relaxed);
        // The commit stands whatever follows: an error here must not bring the batch again.
        if let Ok(pending) = spool.pending_count() {
            self.view.pending.store(pending, Ordering::Relaxed);
        }
        if let Ok(sequence) = spool.last_sequence() {
            self.committed.send_replace(Committed {
                generation: spool.generation(),
                sequence,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::DEFAULT_LIMIT;
    use super::super::samples::alert;
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_spool_removed_under_the_daemon_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let writer = SpoolWriter::start(dir.path(), DEFAULT_LIMIT).unwrap();
        writer.push(alert(1, 1));
        assert_eq!(writer.flush(LONG), 0);
        for part in ["spool.db", "spool.db-wal", "spool.db-shm"] {
            fs::remove_file(dir.path().join(part)).unwrap();
        }
        writer.push(alert(2, 1));
        assert_eq!(writer.flush(LONG), 0);
        let spool = Spool::open_to_read(&spool_path(dir.path())).unwrap();
        assert_eq!(spool.pending(0, 9).unwrap()[0].alert, alert(2, 1));
    }

    #[test]
    fn damage_found_while_writing_costs_the_file_and_not_the_batch() {
        let dir = tempfile::tempdir().unwrap();
        let path = spool_path(dir.path());
        let (committed, watch) = watch::channel(Committed::default());
        let mut writer = Writer {
            view: SpoolView {
                path: path.clone(),
                committed: watch,
                pending: Arc::default(),
                awaits_console: Arc::default(),
            },
            limit: DEFAULT_LIMIT,
            committed,
            refused: Arc::default(),
            spool: None,
            damage: None,
        };
        writer.write(&[alert(1, 1)]).unwrap();
        // Somebody else spoils the tables.
        let db = rusqlite::Connection::open(&path).unwrap();
        db.execute_batch(
            "PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET rootpage = 9999 WHERE name = 'item';",
        )
        .unwrap();
        db.execute_batch("CREATE TABLE makes_the_writer_read_the_schema_again (a)")
            .unwrap();
        drop(db);
        let line = writer.write(&[alert(2, 1)]).unwrap_err();
        assert!(line.contains("is damaged"), "{line}");
        writer.write(&[alert(2, 1)]).unwrap();
        assert!(dir.path().join("spool.db.damaged").exists());
        let spool = Spool::open_to_read(&path).unwrap();
        let items = spool.pending(0, 9).unwrap();
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].alert, alert(2, 1));
    }
}
