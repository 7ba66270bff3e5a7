//! Who is signed in.
//!
//! The browser holds a random id; the store holds its digest, so a copy of the database signs
//! nobody in.

use std::time::Duration;

use goshawk_model::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{from_sql, to_sql};
use crate::Result;
use crate::secret;

/// Sessions at once; a further one ends the one that has been quiet longest.
pub const MAX_SESSIONS: u32 = 1000;

/// For how long a session lasts.
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    /// Without a click.
    pub idle: Duration,
    /// In any case.
    pub absolute: Duration,
}

/// A session that is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who is signed in.
    pub user: String,
    /// Whether that user has a one-time password still.
    pub must_change: bool,
    /// What each of the session's forms must carry.
    pub form_token: String,
    /// The last click.
    pub seen: Timestamp,
}

/// Begins a session under `id`.
///
/// # Errors
/// If the store cannot be written or the system has no randomness.
pub fn begin(transaction: &Transaction<'_>, id: &[u8], user: &str, now: Timestamp) -> Result<()> {
    transaction.execute(
        "INSERT INTO sessions (digest, user, form_token, created, seen) VALUES (?1, ?2, ?3, ?4, ?4)",
        params![
            secret::digest(id),
            user,
            secret::text(&secret::random()?),
            to_sql(now)
        ],
    )?;
    transaction.execute(
        "DELETE FROM sessions WHERE digest IN
             (SELECT digest FROM sessions ORDER BY seen DESC LIMIT -1 OFFSET ?1)",
        [MAX_SESSIONS],
    )?;
    Ok(())
}

/// The session under `id` if it is alive at `now`.
///
/// # Errors
/// If the store cannot be read.
pub fn find(
    connection: &Connection,
    id: &[u8],
    lifetime: Lifetime,
    now: Timestamp,
) -> Result<Option<Session>> {
    let session = connection
        .prepare_cached(
            "SELECT user, must_change, form_token, seen FROM sessions
             JOIN users ON users.name = sessions.user
             WHERE digest = ?1 AND seen > ?2 AND created > ?3",
        )?
        .query_row(
            params![
                secret::digest(id),
                to_sql(now - lifetime.idle),
                to_sql(now - lifetime.absolute)
            ],
            |row| {
                Ok(Session {
                    user: row.get(0)?,
                    must_change: row.get(1)?,
                    form_token: row.get(2)?,
                    seen: from_sql(row.get(3)?),
                })
            },
        )
        .optional()?;
    Ok(session)
}

/// Notes a click.
///
/// # Errors
/// If the store cannot be written.
pub fn touch(transaction: &Transaction<'_>, id: &[u8], now: Timestamp) -> Result<()> {
    transaction.execute(
        "UPDATE sessions SET seen = ?2 WHERE digest = ?1",
        params![secret::digest(id), to_sql(now)],
    )?;
    Ok(())
}

/// Ends the session under `id`.
///
/// # Errors
/// If the store cannot be written.
pub fn end(transaction: &Transaction<'_>, id: &[u8]) -> Result<()> {
    transaction.execute(
        "DELETE FROM sessions WHERE digest = ?1",
        [secret::digest(id)],
    )?;
    Ok(())
}

/// Removes the sessions that have run out.
///
/// # Errors
/// If the store cannot be written.
pub fn prune(transaction: &Transaction<'_>, lifetime: Lifetime, now: Timestamp) -> Result<()> {
    transaction.execute(
        "DELETE FROM sessions WHERE seen <= ?1 OR created <= ?2",
        [to_sql(now - lifetime.idle), to_sql(now - lifetime.absolute)],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Store, testing, users};

    const LIFETIME: Lifetime = Lifetime {
        idle: Duration::from_secs(60),
        absolute: Duration::from_secs(600),
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_parts(1_000_000 + seconds, 0)
    }

    fn store_with_user() -> (tempfile::TempDir, Store) {
        let (temp, store) = testing::store();
        store
            .write_now(|tx| users::set_password(tx, "admin", "hash", false, at(0)))
            .unwrap();
        (temp, store)
    }

    fn alive(store: &Store, id: &[u8], seconds: u64) -> bool {
        store
            .read_now(|c| find(c, id, LIFETIME, at(seconds)))
            .unwrap()
            .is_some()
    }

    #[test]
    fn a_session_ends_idle_or_old_or_on_request() {
        let (_temp, store) = store_with_user();
        store
            .write_now(|tx| begin(tx, b"id", "admin", at(0)))
            .unwrap();
        assert!(alive(&store, b"id", 59));
        assert!(!alive(&store, b"id", 60));
        assert!(!alive(&store, b"other", 0));
        for click in (0..600).step_by(50) {
            store.write_now(|tx| touch(tx, b"id", at(click))).unwrap();
        }
        assert!(alive(&store, b"id", 599));
        assert!(!alive(&store, b"id", 600));
        store.write_now(|tx| prune(tx, LIFETIME, at(599))).unwrap();
        assert!(alive(&store, b"id", 599));
        store.write_now(|tx| end(tx, b"id")).unwrap();
        assert!(!alive(&store, b"id", 599));
    }

    #[test]
    fn a_new_password_signs_out_everywhere() {
        let (_temp, store) = store_with_user();
        store
            .write_now(|tx| begin(tx, b"id", "admin", at(0)))
            .unwrap();
        store
            .write_now(|tx| users::set_password(tx, "admin", "new", false, at(1)))
            .unwrap();
        assert!(!alive(&store, b"id", 1));
    }

    #[test]
    fn the_table_is_bounded_and_the_quietest_leaves() {
        let (_temp, store) = store_with_user();
        store
            .write_now(|tx| {
                for id in 0..=MAX_SESSIONS {
                    begin(tx, &id.to_be_bytes(), "admin", at(u64::from(id) / 100))?;
                }
                Ok(())
            })
            .unwrap();
        let count: u32 = store
            .read_now(|c| Ok(c.query_row("SELECT count(*) FROM sessions", [], |row| row.get(0))?))
            .unwrap();
        assert_eq!(count, MAX_SESSIONS);
        assert!(alive(&store, &MAX_SESSIONS.to_be_bytes(), 10));
    }
}
