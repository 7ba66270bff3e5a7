//! The sensors that were let in, and how each is doing.

use std::time::Duration;

use goshawk_model::{SensorHealth, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use serde::Serialize;

use super::{from_sql, to_sql};
use crate::clock;
use crate::pki::Issued;
use crate::{Error, Result};

/// Sensors known at once, revoked ones included.
pub const MAX_SENSORS: u32 = 10_000;
/// How far a sensor's clock may be off before that is a problem: Kerberos draws the same line
/// (RFC 4120 1.6 leaves it to sites; Active Directory's default is five minutes).
pub const MAX_CLOCK_OFFSET: Duration = Duration::from_secs(300);
/// A connected sensor that was not heard of for this long is not connected: the console that
/// noted the connection is gone.
const STALE: Duration = Duration::from_secs(45);
/// How long before its end a certificate that did not renew is a problem.
const EXPIRES_SOON: Duration = Duration::from_secs(15 * 86_400);

/// A sensor as the store knows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sensor {
    /// Its name.
    pub name: String,
    /// Whether it is connected now.
    pub connected: bool,
    /// When it was last heard of.
    pub last_seen: Option<Timestamp>,
    /// Where it connected from.
    pub address: Option<String>,
    /// Its build.
    pub build: Option<String>,
    /// Its mode of capture.
    pub mode: Option<String>,
    /// How far its clock is ahead of ours, nanoseconds.
    pub clock_offset: i64,
    /// When it enrolled.
    pub enrolled: Timestamp,
    /// When it was revoked, if it was.
    pub revoked: Option<Timestamp>,
    /// When its certificate runs out.
    pub certificate_expires: Timestamp,
    /// What is wrong now, one clear line each, as the sensor and the console see it.
    pub problems: Vec<String>,
    /// What the sensor last said of itself.
    pub health: Option<SensorHealth>,
}

/// What the store says to a certificate that a sensor shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It belongs to this sensor.
    Good(String),
    /// It belonged to this sensor, which was revoked.
    Revoked(String),
    /// No sensor has it, or none has it any more.
    Unknown,
}

/// What a sensor says of itself when it connects.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Where it connects from.
    pub address: String,
    /// Its build.
    pub build: String,
    /// Its mode of capture.
    pub mode: String,
    /// How far its clock is ahead of ours, nanoseconds.
    pub clock_offset: i64,
}

/// Lets a new sensor in, or one that was revoked in again.
///
/// # Errors
/// If the store cannot be written; why the name is refused comes inside.
pub fn enroll(
    transaction: &Transaction<'_>,
    name: &str,
    issued: &Issued,
    now: Timestamp,
) -> Result<Result<(), String>> {
    let revoked = transaction
        .query_row(
            "SELECT revoked IS NOT NULL FROM sensors WHERE name = ?1",
            [name],
            |row| row.get::<_, bool>(0),
        )
        .optional()?;
    match revoked {
        Some(false) => {
            return Ok(Err(format!(
                "a sensor named {name} is enrolled already: enroll under another name, or run \
                 'goshawk-console revoke {name}' on the console first"
            )));
        }
        Some(true) => {
            transaction.execute("DELETE FROM sensors WHERE name = ?1", [name])?;
        }
        None => {
            let count: u32 =
                transaction.query_row("SELECT count(*) FROM sensors", [], |row| row.get(0))?;
            if count >= MAX_SENSORS {
                return Ok(Err(format!("the console has {count} sensors, its limit")));
            }
        }
    }
    transaction.execute(
        "INSERT INTO sensors (name, fingerprint, expires, enrolled) VALUES (?1, ?2, ?3, ?4)",
        params![
            name,
            issued.fingerprint,
            to_sql(issued.expires),
            to_sql(now)
        ],
    )?;
    Ok(Ok(()))
}

/// Looks up the sensor behind a certificate's fingerprint. The first use of a renewed
/// certificate ends the old one's life.
///
/// # Errors
/// If the store cannot be written.
pub fn admit(transaction: &Transaction<'_>, fingerprint: &[u8; 32]) -> Result<Standing> {
    let found = transaction
        .query_row(
            "SELECT name, revoked IS NOT NULL, fingerprint = ?1 FROM sensors
             WHERE fingerprint = ?1 OR next_fingerprint = ?1",
            [fingerprint],
            |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, bool>(1)?,
                    row.get::<_, bool>(2)?,
                ))
            },
        )
        .optional()?;
    Ok(match found {
        None => Standing::Unknown,
        Some((name, true, _)) => Standing::Revoked(name),
        Some((name, false, current)) => {
            if !current {
                transaction.execute(
                    "UPDATE sensors SET fingerprint = next_fingerprint, next_fingerprint = NULL
                     WHERE name = ?1",
                    [&name],
                )?;
            }
            Standing::Good(name)
        }
    })
}

/// Remembers a renewed certificate beside the one in use.
///
/// # Errors
/// If the store cannot be written.
pub fn renew(transaction: &Transaction<'_>, name: &str, issued: &Issued) -> Result<()> {
    transaction.execute(
        "UPDATE sensors SET next_fingerprint = ?2, expires = ?3 WHERE name = ?1",
        params![name, issued.fingerprint, to_sql(issued.expires)],
    )?;
    Ok(())
}

/// Notes that a sensor has connected.
///
/// # Errors
/// If the store cannot be written.
pub fn arrived(
    transaction: &Transaction<'_>,
    name: &str,
    arrival: &Arrival,
    now: Timestamp,
) -> Result<()> {
    transaction.execute(
        "UPDATE sensors SET connected = 1, last_seen = ?2, address = ?3, build = ?4, mode = ?5,
             clock_offset = ?6
         WHERE name = ?1",
        params![
            name,
            to_sql(now),
            arrival.address,
            arrival.build,
            arrival.mode,
            arrival.clock_offset
        ],
    )?;
    Ok(())
}

/// Keeps what a sensor says of itself.
///
/// # Errors
/// If the store cannot be written.
pub fn keep_health(
    transaction: &Transaction<'_>,
    name: &str,
    health: &SensorHealth,
    now: Timestamp,
) -> Result<()> {
    transaction.execute(
        "UPDATE sensors SET health = ?2, last_seen = ?3, clock_offset = ?4, build = ?5, mode = ?6
         WHERE name = ?1",
        params![
            name,
            json(health)?,
            to_sql(now),
            clock::offset(health.time, now),
            health.build,
            health.capture.mode
        ],
    )?;
    Ok(())
}

/// Notes that these sensors are still connected.
///
/// # Errors
/// If the store cannot be written.
pub fn still_here(transaction: &Transaction<'_>, names: &[String], now: Timestamp) -> Result<()> {
    let mut update = transaction
        .prepare_cached("UPDATE sensors SET connected = 1, last_seen = ?2 WHERE name = ?1")?;
    for name in names {
        update.execute(params![name, to_sql(now)])?;
    }
    Ok(())
}

/// Notes that a sensor's connection has ended.
///
/// # Errors
/// If the store cannot be written.
pub fn left(transaction: &Transaction<'_>, name: &str) -> Result<()> {
    transaction.execute("UPDATE sensors SET connected = 0 WHERE name = ?1", [name])?;
    Ok(())
}

/// Notes that nobody is connected: the console has just started.
///
/// # Errors
/// If the store cannot be written.
pub fn all_left(transaction: &Transaction<'_>) -> Result<()> {
    transaction.execute("UPDATE sensors SET connected = 0 WHERE connected", [])?;
    Ok(())
}

/// Shuts a sensor out; a running console closes its connection within two seconds. `None` if
/// there is no such sensor, else whether it was let in until now.
///
/// # Errors
/// If the store cannot be written.
pub fn revoke(transaction: &Transaction<'_>, name: &str, now: Timestamp) -> Result<Option<bool>> {
    let changed = transaction.execute(
        "UPDATE sensors SET revoked = ?2 WHERE name = ?1 AND revoked IS NULL",
        params![name, to_sql(now)],
    )?;
    if changed > 0 {
        return Ok(Some(true));
    }
    let exists = transaction
        .query_row("SELECT 1 FROM sensors WHERE name = ?1", [name], |_| Ok(()))
        .optional()?;
    Ok(exists.map(|()| false))
}

/// The revoked sensors that are noted as connected.
///
/// # Errors
/// If the store cannot be read.
pub fn revoked_but_connected(connection: &Connection) -> Result<Vec<String>> {
    let names = connection
        .prepare_cached("SELECT name FROM sensors WHERE revoked IS NOT NULL AND connected")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(names)
}

/// Every sensor, by name; those that are let in first.
///
/// # Errors
/// If the store cannot be read.
pub fn list(connection: &Connection, now: Timestamp) -> Result<Vec<Sensor>> {
    let sensors = connection
        .prepare_cached("SELECT * FROM sensors ORDER BY revoked IS NOT NULL, name")?
        .query_map([], |row| sensor(row, now))?
        .collect::<Result<_, _>>()?;
    Ok(sensors)
}

fn sensor(row: &Row<'_>, now: Timestamp) -> rusqlite::Result<Sensor> {
    let last_seen = row.get::<_, Option<i64>>("last_seen")?.map(from_sql);
    let noted: bool = row.get("connected")?;
    let health: Option<String> = row.get("health")?;
    let mut sensor = Sensor {
        name: row.get("name")?,
        connected: noted && last_seen.is_some_and(|seen| now.since(seen) < STALE),
        last_seen,
        address: row.get("address")?,
        build: row.get("build")?,
        mode: row.get("mode")?,
        clock_offset: row.get("clock_offset")?,
        enrolled: from_sql(row.get("enrolled")?),
        revoked: row.get::<_, Option<i64>>("revoked")?.map(from_sql),
        certificate_expires: from_sql(row.get("expires")?),
        problems: Vec::new(),
        health: health.and_then(|text| serde_json::from_str(&text).ok()),
    };
    sensor.problems = problems(&sensor, now);
    Ok(sensor)
}

fn problems(sensor: &Sensor, now: Timestamp) -> Vec<String> {
    if sensor.revoked.is_some() {
        return Vec::new();
    }
    let mut problems = Vec::new();
    match sensor.last_seen {
        None => problems.push("it has never connected".to_owned()),
        Some(seen) if !sensor.connected => problems.push(format!(
            "it is not connected, and was last seen {} ago",
            clock::readable(now.since(seen))
        )),
        Some(_) => {}
    }
    let off = Duration::from_nanos(sensor.clock_offset.unsigned_abs());
    if off > MAX_CLOCK_OFFSET {
        problems.push(format!(
            "its clock is {} {} the console's: set one of them, times in alerts are wrong",
            clock::readable(off),
            if sensor.clock_offset > 0 {
                "ahead of"
            } else {
                "behind"
            }
        ));
    }
    if sensor.certificate_expires <= now {
        problems.push(format!(
            "its certificate has run out: run 'goshawk-console revoke {}' and enroll it again",
            sensor.name
        ));
    } else if sensor.certificate_expires.since(now) < EXPIRES_SOON {
        problems.push(format!(
            "its certificate runs out in {} and was not renewed",
            clock::readable(sensor.certificate_expires.since(now))
        ));
    }
    if let Some(health) = &sensor.health {
        problems.extend(health.problems.iter().cloned());
    }
    problems
}

fn json(health: &SensorHealth) -> Result<String> {
    serde_json::to_string(health)
        .map_err(|error| Error::Runtime(format!("cannot write a sensor's health: {error}")))
}

#[cfg(test)]
mod tests;
