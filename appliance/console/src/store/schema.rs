//! The tables, and how those of earlier versions become these.

use rusqlite::{Connection, TransactionBehavior};

use crate::{Error, Result};

/// One step per released layout; SQLite's `user_version` counts the steps taken. A step that has
/// been released is never edited, only followed by another.
const STEPS: &[&str] = &["
    CREATE TABLE sensors (
        name TEXT PRIMARY KEY,
        -- SHA-256 of the certificate in use, and of the one that follows it once first used.
        fingerprint BLOB NOT NULL,
        next_fingerprint BLOB,
        expires INTEGER NOT NULL,
        enrolled INTEGER NOT NULL,
        revoked INTEGER,
        connected INTEGER NOT NULL DEFAULT 0,
        last_seen INTEGER,
        address TEXT,
        build TEXT,
        mode TEXT,
        clock_offset INTEGER NOT NULL DEFAULT 0,
        health TEXT
    );
    CREATE INDEX sensors_by_fingerprint ON sensors (fingerprint);
    CREATE INDEX sensors_by_next_fingerprint ON sensors (next_fingerprint);

    CREATE TABLE spools (
        sensor TEXT NOT NULL REFERENCES sensors ON DELETE CASCADE,
        spool TEXT NOT NULL,
        acknowledged INTEGER NOT NULL,
        used INTEGER NOT NULL,
        PRIMARY KEY (sensor, spool)
    ) WITHOUT ROWID;

    CREATE TABLE alerts (
        id BLOB PRIMARY KEY,
        sensor TEXT NOT NULL,
        revision INTEGER NOT NULL,
        severity INTEGER NOT NULL,
        ended INTEGER NOT NULL,
        first_received INTEGER NOT NULL,
        last_received INTEGER NOT NULL,
        closed INTEGER,
        closed_by TEXT,
        -- Lower case; what the timeline's text filter looks through.
        words TEXT NOT NULL,
        body TEXT NOT NULL
    );
    CREATE INDEX alerts_by_end ON alerts (ended DESC, id);
    CREATE INDEX alerts_by_last_received ON alerts (last_received);

    CREATE TABLE revisions (
        alert BLOB NOT NULL REFERENCES alerts ON DELETE CASCADE,
        revision INTEGER NOT NULL,
        received INTEGER NOT NULL,
        severity INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (alert, revision)
    ) WITHOUT ROWID;

    CREATE TABLE tokens (
        digest BLOB PRIMARY KEY,
        sensor TEXT,
        created INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        used INTEGER,
        used_by TEXT
    ) WITHOUT ROWID;

    CREATE TABLE users (
        name TEXT PRIMARY KEY,
        password TEXT NOT NULL,
        must_change INTEGER NOT NULL,
        changed INTEGER NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE sessions (
        digest BLOB PRIMARY KEY,
        user TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
        form_token TEXT NOT NULL,
        created INTEGER NOT NULL,
        seen INTEGER NOT NULL
    ) WITHOUT ROWID;
"];

/// Brings the tables up to date; does nothing when they are.
pub(super) fn migrate(connection: &mut Connection) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let taken: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let Some(missing) = STEPS.get(taken as usize..) else {
        return Err(Error::Runtime(format!(
            "the store was written by a later console (layout {taken}, this one knows {}): \
             install that version again",
            STEPS.len()
        )));
    };
    for step in missing {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", STEPS.len() as i64)?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrating_twice_is_migrating_once() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        migrate(&mut connection).unwrap();
        connection
            .execute("INSERT INTO users VALUES ('a', 'b', 0, 0)", [])
            .unwrap();
    }

    #[test]
    fn a_later_layout_is_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let error = migrate(&mut connection).unwrap_err().to_string();
        assert!(error.contains("later console"), "{error}");
    }
}
