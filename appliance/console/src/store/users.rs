//! Who may sign in.

use goshawk_model::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::to_sql;
use crate::Result;

/// The user that the first start makes.
pub const ADMIN: &str = "admin";

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name to sign in with.
    pub name: String,
    /// The password's hash, PHC form.
    pub password: String,
    /// Whether the password is a one-time one that must be changed before anything else.
    pub must_change: bool,
}

/// The user of this name.
///
/// # Errors
/// If the store cannot be read.
pub fn find(connection: &Connection, name: &str) -> Result<Option<User>> {
    let user = connection
        .prepare_cached("SELECT name, password, must_change FROM users WHERE name = ?1")?
        .query_row([name], |row| {
            Ok(User {
                name: row.get(0)?,
                password: row.get(1)?,
                must_change: row.get(2)?,
            })
        })
        .optional()?;
    Ok(user)
}

/// Sets a user's password, making the user if missing, and signs the user out everywhere.
///
/// # Errors
/// If the store cannot be written.
pub fn set_password(
    transaction: &Transaction<'_>,
    name: &str,
    hash: &str,
    must_change: bool,
    now: Timestamp,
) -> Result<()> {
    transaction.execute(
        "INSERT INTO users (name, password, must_change, changed) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (name) DO UPDATE SET
             password = excluded.password, must_change = excluded.must_change,
             changed = excluded.changed",
        params![name, hash, must_change, to_sql(now)],
    )?;
    transaction.execute("DELETE FROM sessions WHERE user = ?1", [name])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;

    #[test]
    fn a_new_password_replaces_the_old() {
        let (_temp, store) = testing::store();
        assert_eq!(store.read_now(|c| find(c, ADMIN)).unwrap(), None);
        for (hash, must_change) in [("one", true), ("other", false)] {
            store
                .write_now(|tx| set_password(tx, ADMIN, hash, must_change, Timestamp::ZERO))
                .unwrap();
            let user = store.read_now(|c| find(c, ADMIN)).unwrap().unwrap();
            assert_eq!(
                (user.password.as_str(), user.must_change),
                (hash, must_change)
            );
        }
    }
}
