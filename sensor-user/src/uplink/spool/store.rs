//! The spool's file: alerts in the order they were raised, and how far the console has them.
//!
//! One number says what the console keeps: everything up to `acknowledged`. What lies before is
//! history for `alerts`; what lies after is pending.

use std::path::PathBuf;

use goshawk_model::{Alert, AlertId, frame};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use tracing::warn;

use super::error::SpoolError;
use super::open::inode;
use super::room::Room;

/// The largest alert (bytes of CBOR) that still fits a frame with its sequence around it.
const MAX_BODY: usize = frame::MAX_FRAME - 64;

/// A connection to the spool's file. Several may be open; each call is one transaction.
pub struct Spool {
    pub(super) db: Connection,
    pub(super) path: PathBuf,
    pub(super) inode: u64,
}

/// What became of a batch of alerts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Alerts kept.
    pub kept: u64,
    /// Alerts refused, because the spool is full or the alert is larger than a frame.
    pub refused: u64,
}

impl Spool {
    /// The spool's random name, made with it: sequences count within it.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn id(&self) -> Result<String, SpoolError> {
        self.db
            .query_row("SELECT id FROM spool", [], |row| row.get(0))
            .map_err(|error| self.error(&error))
    }

    /// Keeps alerts, in order, in one commit. An alert that is already there as it is counts as
    /// kept; one whose revision does not rise (the engine came back from an older snapshot) gets
    /// the next revision, so that the console does not take it for old.
    ///
    /// # Errors
    /// If the commit fails; then nothing of the batch is kept.
    pub fn push(&mut self, alerts: &[Alert], room: Room) -> Result<Pushed, SpoolError> {
        let mut pushed = Pushed::default();
        self.write(|tx| {
            for alert in alerts {
                if push_one(tx, alert, room)? {
                    pushed.kept += 1;
                } else {
                    pushed.refused += 1;
                }
            }
            Ok(())
        })?;
        Ok(pushed)
    }

    /// Up to `limit` pending items after sequence `after`, in order. An item that cannot be read
    /// is passed over with a line in the log; the acknowledgement of a later one covers it.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn pending(&self, after: u64, limit: usize) -> Result<Vec<frame::Item>, SpoolError> {
        let after = after.max(self.acknowledged()?);
        self.items_after(after, limit)
    }

    /// Up to `limit` items after sequence `after`, pending or not, in order.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn items_after(&self, after: u64, limit: usize) -> Result<Vec<frame::Item>, SpoolError> {
        self.read_items(
            "SELECT sequence, body FROM item WHERE sequence > ?1 ORDER BY sequence LIMIT ?2",
            after,
            limit,
        )
    }

    /// Up to `limit` items after sequence `after` that are the last word on their alert.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn latest_after(&self, after: u64, limit: usize) -> Result<Vec<frame::Item>, SpoolError> {
        self.read_items(
            "SELECT sequence, body FROM item AS mine WHERE sequence > ?1 AND NOT EXISTS
             (SELECT 1 FROM item WHERE alert = mine.alert AND revision > mine.revision)
             ORDER BY sequence LIMIT ?2",
            after,
            limit,
        )
    }

    /// How many items the console has not acknowledged.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn pending_count(&self) -> Result<u64, SpoolError> {
        // By the index, which is small: the table's pages hold the bodies.
        self.db
            .prepare_cached(
                "SELECT count(*) FROM item INDEXED BY item_alert
                 WHERE +sequence > (SELECT acknowledged FROM spool)",
            )
            .and_then(|mut count| count.query_row([], |row| row.get(0)))
            .map(unsigned)
            .map_err(|error| self.error(&error))
    }

    /// The highest sequence that the console keeps.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn acknowledged(&self) -> Result<u64, SpoolError> {
        self.db
            .prepare_cached("SELECT acknowledged FROM spool")
            .and_then(|mut query| query.query_row([], |row| row.get(0)))
            .map(unsigned)
            .map_err(|error| self.error(&error))
    }

    /// The console keeps everything up to `sequence`.
    ///
    /// # Errors
    /// If the commit fails; then those items are sent again after the next connection.
    pub fn acknowledge(&mut self, sequence: u64) -> Result<(), SpoolError> {
        self.write(|tx| {
            tx.prepare_cached("UPDATE spool SET acknowledged = max(acknowledged, ?1)")?
                .execute([signed(sequence.min(last_sequence(tx)?))])
                .map(drop)
        })
    }

    /// Takes over what the console says it keeps of this spool; whether the two agree.
    ///
    /// It may keep less than was acknowledged, when its store was restored from a backup: then
    /// what the history still has is pending again. Where it keeps more than was ever spooled,
    /// this file was restored: it gets a new id, so that its next items are not taken for those
    /// which the console has under the same sequences, and the caller must say hello anew.
    ///
    /// # Errors
    /// If the commit fails.
    pub fn reconcile(&mut self, kept: u64) -> Result<bool, SpoolError> {
        let mut agree = true;
        self.write(|tx| {
            agree = kept <= last_sequence(tx)?;
            if agree {
                tx.execute("UPDATE spool SET acknowledged = ?1", [signed(kept)])
            } else {
                tx.execute(
                    "UPDATE spool SET id = lower(hex(randomblob(16))), acknowledged = 0",
                    [],
                )
            }
            .map(drop)
        })?;
        Ok(agree)
    }

    /// The highest sequence ever given.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn last_sequence(&self) -> Result<u64, SpoolError> {
        last_sequence(&self.db).map_err(|error| self.error(&error))
    }

    /// Which file this is: a damaged one is replaced while others have it open.
    pub fn generation(&self) -> u64 {
        self.inode
    }

    /// Whether the file at the path is another by now, or none: somebody removed or replaced it.
    pub fn is_orphan(&self) -> bool {
        inode(&self.path).ok() != Some(self.inode)
    }

    pub(super) fn write(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), SpoolError> {
        self.db
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|tx| {
                work(&tx)?;
                tx.commit()
            })
            .map_err(|error| self.error(&error))
    }

    fn read_items(
        &self,
        query: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<frame::Item>, SpoolError> {
        let rows: rusqlite::Result<Vec<(i64, Vec<u8>)>> =
            self.db.prepare_cached(query).and_then(|mut query| {
                query
                    .query_map((signed(after), limit as i64), |row| {
                        Ok((row.get(0)?, row.get(1)?))
                    })?
                    .collect()
            });
        let items = rows.map_err(|error| self.error(&error))?.into_iter();
        Ok(items
            .filter_map(|(sequence, body)| {
                let sequence = unsigned(sequence);
                match ciborium::from_reader(body.as_slice()) {
                    Ok(alert) => Some(frame::Item { sequence, alert }),
                    Err(error) => {
                        warn!(
                            "item {sequence} of the spool {} is unreadable and passed over: {error}",
                            self.path.display()
                        );
                        None
                    }
                }
            })
            .collect())
    }

    fn error(&self, error: &rusqlite::Error) -> SpoolError {
        SpoolError::sqlite(&self.path, error)
    }
}

/// Whether the alert was kept.
fn push_one(tx: &Transaction<'_>, alert: &Alert, room: Room) -> rusqlite::Result<bool> {
    let highest = highest_revision(tx, alert.id)?;
    let renumbered;
    let alert = match highest {
        Some((revision, body)) if i64::from(alert.revision) <= revision => {
            let next = Alert {
                revision: u32::try_from(revision).unwrap_or(u32::MAX),
                ..alert.clone()
            };
            if encode(&next) == body {
                return Ok(true);
            }
            renumbered = Alert {
                revision: next.revision.saturating_add(1),
                ..next
            };
            &renumbered
        }
        _ => alert,
    };
    let body = encode(alert);
    if body.len() > MAX_BODY {
        return Ok(false);
    }
    // A refusal takes back what was evicted for it: the predecessor of a refused update stays.
    tx.execute_batch("SAVEPOINT one")?;
    tx.prepare_cached("INSERT INTO item (alert, revision, body) VALUES (?1, ?2, ?3)")?
        .execute((alert.id.bytes(), alert.revision, body))?;
    let kept = room.make(tx, tx.last_insert_rowid())?;
    if !kept {
        tx.execute_batch("ROLLBACK TO one")?;
    }
    tx.execute_batch("RELEASE one")?;
    Ok(kept)
}

fn highest_revision(
    tx: &Transaction<'_>,
    alert: AlertId,
) -> rusqlite::Result<Option<(i64, Vec<u8>)>> {
    tx.prepare_cached(
        "SELECT revision, body FROM item WHERE alert = ?1 ORDER BY revision DESC LIMIT 1",
    )?
    .query_row([alert.bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
    .optional()
}

fn last_sequence(db: &Connection) -> rusqlite::Result<u64> {
    // Absent before the first item.
    db.query_row(
        "SELECT seq FROM sqlite_sequence WHERE name = 'item'",
        [],
        |row| row.get(0),
    )
    .optional()
    .map(|last| unsigned(last.unwrap_or(0)))
}

fn encode(alert: &Alert) -> Vec<u8> {
    let mut body = Vec::new();
    // Writing to memory cannot fail, and no field of an alert is beyond CBOR.
    ciborium::into_writer(alert, &mut body).expect("CBOR into memory");
    body
}

/// SQLite's integers are signed; sequences start at 1 and never come near the end.
fn signed(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

fn unsigned(sequence: i64) -> u64 {
    u64::try_from(sequence).unwrap_or(0)
}
