//! Passwords: argon2id at rest, one-time ones that can be read aloud.

use argon2::{Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _};
use rand::TryRngCore as _;
use rand::rngs::OsRng;

use crate::{Error, Result};

/// The shortest password that is taken, characters.
pub const MIN_LENGTH: usize = 12;
/// The longest password that is taken, bytes: hashing costs by length.
pub const MAX_LENGTH: usize = 1024;

/// Letters that are not mistaken for each other when read from a screen.
const ALPHABET: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// Letters of a one-time password: 99 bits.
const ONE_TIME_LETTERS: usize = 20;

/// A one-time password, five groups of four letters: `k7wq-m3xd-...`.
///
/// # Errors
/// If the system has no randomness to give.
pub fn one_time() -> Result<String> {
    let mut letters = String::new();
    let mut byte = [0];
    let mut taken = 0;
    while taken < ONE_TIME_LETTERS {
        OsRng.try_fill_bytes(&mut byte).map_err(|error| {
            Error::Runtime(format!("the system gives no random bytes: {error}"))
        })?;
        // 248 is the last multiple of 31 in a byte: what lies above would favour some letters.
        if byte[0] >= 248 {
            continue;
        }
        let letter = ALPHABET[usize::from(byte[0]) % ALPHABET.len()];
        if taken > 0 && taken % 4 == 0 {
            letters.push('-');
        }
        letters.push(char::from(letter));
        taken += 1;
    }
    Ok(letters)
}

/// The argon2id hash of `password` in PHC form, with a salt of its own.
///
/// Takes tens of milliseconds and 19 MiB on purpose: call it off the asynchronous threads.
///
/// # Errors
/// If hashing fails, which takes a broken random generator.
pub fn hash(password: &str) -> Result<String> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| Error::Runtime(format!("cannot hash a password: {error}")))
}

/// Whether `password` is the one behind `hash`. Costs as much as [`hash`]; an unreadable hash
/// matches nothing.
pub fn matches(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    })
}

/// What is wrong with a new password, if anything.
pub fn weakness(new: &str, user: &str) -> Option<&'static str> {
    if new.chars().count() < MIN_LENGTH {
        Some("A password needs at least 12 characters.")
    } else if new.len() > MAX_LENGTH {
        Some("A password has at most 1,024 bytes.")
    } else if new.to_lowercase().contains(&user.to_lowercase()) {
        Some("A password must not contain the user's name.")
    } else if new.chars().all(|c| new.starts_with(c)) {
        Some("One character repeated is not a password.")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_argon2id_and_salted() {
        let (one, other) = (
            hash("correct horse").unwrap(),
            hash("correct horse").unwrap(),
        );
        assert!(one.starts_with("$argon2id$"));
        assert_ne!(one, other);
        assert!(matches("correct horse", &one));
        assert!(!matches("correct horsf", &one));
        assert!(!matches("correct horse", "not a hash"));
    }

    #[test]
    fn one_time_passwords_differ_and_are_strong_enough() {
        let (one, other) = (one_time().unwrap(), one_time().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), ONE_TIME_LETTERS + 4);
        assert_eq!(weakness(&one, "admin"), None);
    }

    #[test]
    fn weak_passwords_are_named() {
        assert!(weakness("elevenchars", "admin").is_some());
        assert!(weakness(&"é".repeat(12), "admin").is_some());
        assert!(weakness("my Admin is great", "admin").is_some());
        assert!(weakness(&"ab".repeat(600), "admin").is_some());
        assert_eq!(weakness("twelve chars", "admin"), None);
    }
}
