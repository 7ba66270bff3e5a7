//! Enrollment tokens: good once, for a while.

use std::time::Duration;

use goshawk_model::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{from_sql, to_sql};
use crate::secret;
use crate::{Error, Result};

/// Tokens remembered at once, used and expired ones included.
pub const MAX_TOKENS: u32 = 1000;
/// How long a used or expired token is remembered, so that its refusal can say which it is.
const MEMORY: Duration = Duration::from_secs(30 * 86_400);

/// Why a token is refused: one clear line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such token was made here.
    #[error(
        "this token is not one of this console's: make one with 'goshawk-console token' \
         on the console"
    )]
    Unknown,
    /// It let a sensor in already.
    #[error(
        "this token has been used already (by {0}): tokens are good once, make a new one with \
         'goshawk-console token'"
    )]
    Used(String),
    /// It has run out.
    #[error("this token expired at {0}: make a new one with 'goshawk-console token'")]
    Expired(Timestamp),
    /// It was made for another sensor.
    #[error("this token was made for a sensor named {0}: enroll under that name")]
    OtherSensor(String),
}

/// Remembers a token for one sensor, any (`sensor` is `None`) or the named one.
///
/// # Errors
/// If the store cannot be written, or remembers [`MAX_TOKENS`] tokens that may still be used.
pub fn add(
    transaction: &Transaction<'_>,
    secret: &[u8],
    sensor: Option<&str>,
    now: Timestamp,
    valid: Duration,
) -> Result<()> {
    transaction.execute(
        "DELETE FROM tokens WHERE min(expires, ifnull(used, expires)) < ?1",
        [to_sql(now - MEMORY)],
    )?;
    transaction.execute(
        "DELETE FROM tokens WHERE digest IN
             (SELECT digest FROM tokens WHERE used IS NOT NULL OR expires <= ?1
              ORDER BY created DESC LIMIT -1 OFFSET ?2)",
        params![to_sql(now), MAX_TOKENS / 2],
    )?;
    let count: u32 = transaction.query_row("SELECT count(*) FROM tokens", [], |row| row.get(0))?;
    if count >= MAX_TOKENS {
        return Err(Error::Runtime(format!(
            "{count} tokens wait to be used or to expire: make fewer, or shorter ones"
        )));
    }
    transaction.execute(
        "INSERT INTO tokens (digest, sensor, created, expires) VALUES (?1, ?2, ?3, ?4)",
        params![
            secret::digest(secret),
            sensor,
            to_sql(now),
            to_sql(now + valid)
        ],
    )?;
    Ok(())
}

/// Whether a token lets `sensor` in now.
///
/// # Errors
/// If the store cannot be read; why the token is refused comes inside.
pub fn verify(
    connection: &Connection,
    secret: &[u8],
    sensor: &str,
    now: Timestamp,
) -> Result<Result<(), Refusal>> {
    let found = connection
        .query_row(
            "SELECT sensor, expires, used_by FROM tokens WHERE digest = ?1",
            [secret::digest(secret)],
            |row| {
                Ok((
                    row.get::<_, Option<String>>(0)?,
                    from_sql(row.get(1)?),
                    row.get::<_, Option<String>>(2)?,
                ))
            },
        )
        .optional()?;
    Ok(match found {
        None => Err(Refusal::Unknown),
        Some((_, _, Some(by))) => Err(Refusal::Used(by)),
        Some((_, expires, None)) if expires <= now => Err(Refusal::Expired(expires)),
        Some((Some(wanted), _, None)) if wanted != sensor => Err(Refusal::OtherSensor(wanted)),
        Some(_) => Ok(()),
    })
}

/// Uses a token up, in the transaction that [`verify`]d it.
///
/// # Errors
/// If the store cannot be written.
pub fn use_up(
    transaction: &Transaction<'_>,
    secret: &[u8],
    sensor: &str,
    now: Timestamp,
) -> Result<()> {
    transaction.execute(
        "UPDATE tokens SET used = ?2, used_by = ?3 WHERE digest = ?1",
        params![secret::digest(secret), to_sql(now), sensor],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Store, testing};

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_parts(1_000_000 + seconds, 0)
    }

    fn try_redeem(store: &Store, secret: &[u8], sensor: &str, seconds: u64) -> Result<(), Refusal> {
        store
            .write_now(|tx| {
                let verdict = verify(tx, secret, sensor, at(seconds))?;
                if verdict.is_ok() {
                    use_up(tx, secret, sensor, at(seconds))?;
                }
                Ok(verdict)
            })
            .unwrap()
    }

    #[test]
    fn each_refusal_has_its_own_reason() {
        let (_temp, store) = testing::store();
        store
            .write_now(|tx| {
                add(tx, b"any", None, at(0), HOUR)?;
                add(tx, b"named", Some("dc1"), at(0), HOUR)
            })
            .unwrap();
        assert_eq!(try_redeem(&store, b"what", "dc1", 1), Err(Refusal::Unknown));
        assert_eq!(
            try_redeem(&store, b"any", "dc1", 3600),
            Err(Refusal::Expired(at(3600)))
        );
        assert_eq!(try_redeem(&store, b"any", "dc1", 3599), Ok(()));
        assert_eq!(
            try_redeem(&store, b"any", "dc2", 3599),
            Err(Refusal::Used("dc1".into()))
        );
        assert_eq!(
            try_redeem(&store, b"named", "dc2", 1),
            Err(Refusal::OtherSensor("dc1".into()))
        );
        assert_eq!(try_redeem(&store, b"named", "dc1", 1), Ok(()));
    }

    #[test]
    fn the_table_is_bounded() {
        let (_temp, store) = testing::store();
        let add_one = |number: u32, seconds: u64| {
            store.write_now(|tx| add(tx, &number.to_be_bytes(), None, at(seconds), HOUR))
        };
        store
            .write_now(|tx| {
                for number in 0..MAX_TOKENS {
                    add(tx, &number.to_be_bytes(), None, at(0), HOUR)?;
                }
                Ok(())
            })
            .unwrap();
        assert!(add_one(MAX_TOKENS, 1).is_err());
        // Once those have expired there is room again.
        add_one(MAX_TOKENS, 3600).unwrap();
    }
}
