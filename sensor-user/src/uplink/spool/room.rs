//! Who makes room when the spool is full.
//!
//! First go updates that a later revision of the same alert has superseded, then what the console
//! keeps anyway, oldest first. What is then still too much is refused: an update sooner than a new
//! alert, for which the last part is reserved, so that the growth of known campaigns does not keep
//! the next one out.

use rusqlite::Transaction;

/// The file's size (bytes) unless configured.
pub const DEFAULT_LIMIT: u64 = 256 << 20;
/// The smallest limit that holds the tables and some alerts.
pub const MIN_LIMIT: u64 = 128 << 10;
/// The part of the limit that only new alerts may use: one in so many.
const RESERVED_FOR_NEW: u64 = 8;
/// Items evicted at a time.
const STEP: i64 = 16;

/// How much the spool may hold, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Bytes of the spool's file, at least [`MIN_LIMIT`]; the write-ahead log beside it adds a few
    /// megabytes.
    pub limit: u64,
    /// Whether a console is to get the alerts. Without one nothing is pending: all is history.
    pub awaits_console: bool,
}

impl Room {
    /// Makes room for the item just inserted as `sequence`; whether there is any.
    pub(super) fn make(self, tx: &Transaction<'_>, sequence: i64) -> rusqlite::Result<bool> {
        if used(tx)? <= self.allowance(true) - self.allowance(true) / RESERVED_FOR_NEW {
            return Ok(true);
        }
        let allowance = self.allowance(is_new(tx, sequence)?);
        let settled = if self.awaits_console {
            tx.query_row("SELECT acknowledged FROM spool", [], |row| row.get(0))?
        } else {
            i64::MAX
        };
        while used(tx)? > allowance {
            let evicted = evict_own(tx, sequence)? + evict(tx, SUPERSEDED, settled, sequence)?;
            if evicted == 0 && evict(tx, HISTORY, settled, sequence)? == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn allowance(self, new: bool) -> u64 {
        let limit = self.limit.max(MIN_LIMIT);
        if new {
            limit
        } else {
            limit - limit / RESERVED_FOR_NEW
        }
    }
}

/// Pending items with a later revision behind them. By the index, which is small.
const SUPERSEDED: &str = "
    SELECT sequence FROM item AS old INDEXED BY item_alert
    WHERE +sequence > ?1 AND sequence <> ?2
      AND EXISTS (SELECT 1 FROM item WHERE alert = old.alert AND revision > old.revision)
    ORDER BY sequence LIMIT ?3";

/// What the console keeps.
const HISTORY: &str = "
    SELECT sequence FROM item WHERE sequence <= ?1 AND sequence <> ?2
    ORDER BY sequence LIMIT ?3";

fn evict(
    tx: &Transaction<'_>,
    victims: &str,
    settled: i64,
    sequence: i64,
) -> rusqlite::Result<usize> {
    tx.prepare_cached(&format!("DELETE FROM item WHERE sequence IN ({victims})"))?
        .execute((settled, sequence, STEP))
}

/// The earlier revisions of the item itself.
fn evict_own(tx: &Transaction<'_>, sequence: i64) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "DELETE FROM item WHERE sequence <> ?1
         AND alert = (SELECT alert FROM item WHERE sequence = ?1)",
    )?
    .execute([sequence])
}

fn is_new(tx: &Transaction<'_>, sequence: i64) -> rusqlite::Result<bool> {
    tx.prepare_cached(
        "SELECT count(*) = 1 FROM item
         WHERE alert = (SELECT alert FROM item WHERE sequence = ?1)",
    )?
    .query_row([sequence], |row| row.get(0))
}

/// Bytes of the file that are in use, as of this transaction.
fn used(tx: &Transaction<'_>) -> rusqlite::Result<u64> {
    let pragma = |name: &str| {
        tx.prepare_cached(&format!("PRAGMA {name}"))?
            .query_row([], |row| row.get::<_, i64>(0))
    };
    let pages = pragma("page_count")? - pragma("freelist_count")?;
    Ok(u64::try_from(pages.saturating_mul(pragma("page_size")?)).unwrap_or(0))
}
