//! Alerts: kept once, the highest revision winning, and found again.

use std::time::Duration;

use goshawk_model::frame::Item;
use goshawk_model::{Alert, AlertId, Severity, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde::Serialize;

use super::{from_sql, to_sql};
use crate::{Error, Result};

mod search;

pub use search::{Filter, PAGE, Page, State, search};

/// Alerts kept; beyond that the ones that have been quiet longest leave.
pub const MAX_ALERTS: u32 = 1_000_000;
/// Revisions remembered of one alert; beyond that the oldest leave.
const MAX_REVISIONS: u32 = 200;
/// Spools remembered of one sensor: it has one, and another after each loss of its disk.
const MAX_SPOOLS: u32 = 16;
/// The longest text that the filter looks through, bytes of one alert.
const MAX_WORDS: usize = 16 * 1024;

/// An alert as the store knows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    /// Its highest revision.
    #[serde(flatten)]
    pub alert: Alert,
    /// When the console first heard of it.
    pub first_received: Timestamp,
    /// When its highest revision came.
    pub last_received: Timestamp,
    /// When somebody closed it, if it is closed.
    pub closed: Option<Timestamp>,
    /// Who closed it.
    pub closed_by: Option<String>,
}

/// One step in an alert's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Its number.
    pub revision: u32,
    /// When it came.
    pub received: Timestamp,
    /// How bad the alert was.
    pub severity: Severity,
    /// How many events it had.
    pub count: u64,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Everything of the spool up to here is kept.
    pub acknowledged: u64,
    /// Items that were news.
    pub news: usize,
    /// Items whose alert another sensor had raised: kept as that sensor's, refused from this one.
    pub foreign: usize,
}

/// The highest sequence of a spool that is kept.
///
/// # Errors
/// If the store cannot be read.
pub fn acknowledged(connection: &Connection, sensor: &str, spool: &str) -> Result<u64> {
    let sequence: Option<i64> = connection
        .prepare_cached("SELECT acknowledged FROM spools WHERE sensor = ?1 AND spool = ?2")?
        .query_row([sensor, spool], |row| row.get(0))
        .optional()?;
    Ok(sequence.unwrap_or(0).unsigned_abs())
}

/// Keeps a batch of one spool. An item at or below what is acknowledged changes nothing, nor
/// does a revision that is not higher than the one kept.
///
/// # Errors
/// If the store cannot be written.
pub fn keep(
    transaction: &Transaction<'_>,
    sensor: &str,
    spool: &str,
    items: &[Item],
    now: Timestamp,
) -> Result<Kept> {
    let mut kept = Kept {
        acknowledged: acknowledged(transaction, sensor, spool)?,
        ..Kept::default()
    };
    let before = kept.acknowledged;
    for item in items {
        if item.sequence <= kept.acknowledged {
            continue;
        }
        match upsert(transaction, sensor, &item.alert, now)? {
            Upsert::News => kept.news += 1,
            Upsert::Stale => {}
            Upsert::Foreign => kept.foreign += 1,
        }
        kept.acknowledged = item.sequence;
    }
    if kept.acknowledged > before {
        note_spool(transaction, sensor, spool, kept.acknowledged, now)?;
    }
    Ok(kept)
}

/// The alert of this id.
///
/// # Errors
/// If the store cannot be read.
pub fn find(connection: &Connection, id: AlertId) -> Result<Option<Stored>> {
    let row = connection
        .prepare_cached(
            "SELECT body, first_received, last_received, closed, closed_by
             FROM alerts WHERE id = ?1",
        )?
        .query_row([id.bytes()], Columns::read)
        .optional()?;
    row.map(Columns::stored).transpose()
}

/// The alert's life so far, its latest revision first.
///
/// # Errors
/// If the store cannot be read.
pub fn revisions(connection: &Connection, id: AlertId) -> Result<Vec<Revision>> {
    let revisions = connection
        .prepare_cached(
            "SELECT revision, received, severity, count FROM revisions
             WHERE alert = ?1 ORDER BY revision DESC",
        )?
        .query_map([id.bytes()], |row| {
            Ok(Revision {
                revision: row.get(0)?,
                received: from_sql(row.get(1)?),
                severity: severity_from(row.get(2)?),
                count: row.get::<_, i64>(3)?.unsigned_abs(),
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(revisions)
}

/// Closes an alert (`by` somebody) or opens it again (`None`). Whether there is such an alert.
/// An alert whose attack goes on opens by itself.
///
/// # Errors
/// If the store cannot be written.
pub fn close(
    transaction: &Transaction<'_>,
    id: AlertId,
    by: Option<&str>,
    now: Timestamp,
) -> Result<bool> {
    let changed = transaction.execute(
        "UPDATE alerts SET closed = ?2, closed_by = ?3 WHERE id = ?1",
        params![id.bytes(), by.map(|_| to_sql(now)), by],
    )?;
    Ok(changed > 0)
}

/// Removes what has been quiet for `retention`, and what exceeds `most`. How many left.
///
/// # Errors
/// If the store cannot be written.
pub fn prune(
    transaction: &Transaction<'_>,
    now: Timestamp,
    retention: Duration,
    most: u32,
) -> Result<usize> {
    let old = transaction.execute(
        "DELETE FROM alerts WHERE last_received < ?1",
        [to_sql(now - retention)],
    )?;
    let many = transaction.execute(
        "DELETE FROM alerts WHERE id IN
             (SELECT id FROM alerts ORDER BY last_received DESC LIMIT -1 OFFSET ?1)",
        [most],
    )?;
    Ok(old + many)
}

/// How many alerts are kept.
///
/// # Errors
/// If the store cannot be read.
pub fn count(connection: &Connection) -> Result<u64> {
    let count: i64 = connection.query_row("SELECT count(*) FROM alerts", [], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

enum Upsert {
    News,
    Stale,
    Foreign,
}

fn upsert(
    transaction: &Transaction<'_>,
    sensor: &str,
    alert: &Alert,
    now: Timestamp,
) -> Result<Upsert> {
    let body = serde_json::to_string(alert)
        .map_err(|error| Error::Runtime(format!("cannot write an alert: {error}")))?;
    // The sensor in the condition: ids hash the sensor's name, so an alert that comes from two
    // was taken from one of them, and must not be rewritten by the other.
    let changed = transaction
        .prepare_cached(
            "INSERT INTO alerts (id, sensor, revision, severity, ended, first_received,
                                 last_received, words, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8)
             ON CONFLICT (id) DO UPDATE SET
                 revision = excluded.revision, severity = excluded.severity,
                 ended = excluded.ended, last_received = excluded.last_received,
                 words = excluded.words, body = excluded.body,
                 closed = iif(excluded.ended > ended OR excluded.severity > severity,
                              NULL, closed),
                 closed_by = iif(excluded.ended > ended OR excluded.severity > severity,
                                 NULL, closed_by)
             WHERE excluded.revision > revision AND excluded.sensor = sensor",
        )?
        .execute(params![
            alert.id.bytes(),
            sensor,
            alert.revision,
            severity_number(alert.severity),
            to_sql(alert.end),
            to_sql(now),
            words(alert),
            body
        ])?;
    if changed == 0 {
        let owner: String = transaction.query_row(
            "SELECT sensor FROM alerts WHERE id = ?1",
            [alert.id.bytes()],
            |row| row.get(0),
        )?;
        return Ok(if owner == sensor {
            Upsert::Stale
        } else {
            Upsert::Foreign
        });
    }
    transaction
        .prepare_cached("INSERT OR IGNORE INTO revisions VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![
            alert.id.bytes(),
            alert.revision,
            to_sql(now),
            severity_number(alert.severity),
            i64::try_from(alert.count).unwrap_or(i64::MAX)
        ])?;
    transaction
        .prepare_cached(
            "DELETE FROM revisions WHERE alert = ?1 AND revision IN
                 (SELECT revision FROM revisions WHERE alert = ?1
                  ORDER BY revision DESC LIMIT -1 OFFSET ?2)",
        )?
        .execute(params![alert.id.bytes(), MAX_REVISIONS])?;
    Ok(Upsert::News)
}

fn note_spool(
    transaction: &Transaction<'_>,
    sensor: &str,
    spool: &str,
    acknowledged: u64,
    now: Timestamp,
) -> Result<()> {
    let acknowledged = i64::try_from(acknowledged).map_err(|_| {
        Error::Runtime(format!(
            "sequence {acknowledged} is beyond every spool's end"
        ))
    })?;
    transaction
        .prepare_cached(
            "INSERT INTO spools (sensor, spool, acknowledged, used) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET acknowledged = excluded.acknowledged, used = excluded.used",
        )?
        .execute(params![sensor, spool, acknowledged, to_sql(now)])?;
    transaction
        .prepare_cached(
            "DELETE FROM spools WHERE sensor = ?1 AND spool IN
                 (SELECT spool FROM spools WHERE sensor = ?1
                  ORDER BY used DESC, spool LIMIT -1 OFFSET ?2)",
        )?
        .execute(params![sensor, MAX_SPOOLS])?;
    Ok(())
}

/// What the text filter looks through: everything that names somebody or something.
fn words(alert: &Alert) -> String {
    let mut words = format!(
        "{} {} {} {}",
        alert.title, alert.summary, alert.sensor, alert.external_id
    );
    let mut add = |word: &dyn std::fmt::Display| {
        if words.len() < MAX_WORDS {
            use std::fmt::Write as _;
            // Writing to a string cannot fail.
            let _ = write!(words, " {word}");
        }
    };
    for party in std::iter::once(&alert.source).chain(&alert.targets) {
        party.account.iter().for_each(|account| add(account));
        party.host.iter().for_each(|host| add(host));
        party.ip.iter().for_each(|ip| add(ip));
    }
    alert.techniques.iter().for_each(|technique| add(technique));
    words.truncate(words.floor_char_boundary(MAX_WORDS));
    words.to_lowercase()
}

const fn severity_number(severity: Severity) -> u8 {
    match severity {
        Severity::Low => 1,
        Severity::Medium => 2,
        Severity::High => 3,
    }
}

const fn severity_from(number: u8) -> Severity {
    match number {
        0 | 1 => Severity::Low,
        2 => Severity::Medium,
        _ => Severity::High,
    }
}

/// A row before its body is read.
struct Columns {
    body: String,
    first_received: i64,
    last_received: i64,
    closed: Option<i64>,
    closed_by: Option<String>,
}

impl Columns {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            body: row.get("body")?,
            first_received: row.get("first_received")?,
            last_received: row.get("last_received")?,
            closed: row.get("closed")?,
            closed_by: row.get("closed_by")?,
        })
    }

    fn stored(self) -> Result<Stored> {
        let alert = serde_json::from_str(&self.body)
            .map_err(|error| Error::Runtime(format!("a kept alert is unreadable: {error}")))?;
        Ok(Stored {
            alert,
            first_received: from_sql(self.first_received),
            last_received: from_sql(self.last_received),
            closed: self.closed.map(from_sql),
            closed_by: self.closed_by,
        })
    }
}

#[cfg(test)]
mod tests;
