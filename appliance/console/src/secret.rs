//! Random secrets, and the digests by which they are looked up.
//!
//! Enrollment secrets, session ids and form tokens carry 256 bits from the system's generator, so
//! a plain SHA-256 of them at rest is enough: nobody guesses the preimage, and a stolen database
//! opens no session. Passwords are another matter, see [`crate::password`].

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use sha2::{Digest as _, Sha256};

use crate::{Error, Result};

/// Bytes of a secret.
pub const LENGTH: usize = 32;

/// A new secret.
///
/// # Errors
/// If the system has no randomness to give.
pub fn random() -> Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|error| Error::Runtime(format!("the system gives no random bytes: {error}")))?;
    Ok(bytes)
}

/// A secret as text for cookies and forms: base64url without padding.
pub fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads what [`text`] wrote.
pub fn from_text(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// SHA-256, as the store keeps it.
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// `12:AB:...`, as browsers show fingerprints.
pub fn fingerprint_text(digest: &[u8]) -> String {
    digest
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect::<Vec<_>>()
        .join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_survive_text() {
        let (one, other) = (random().unwrap(), random().unwrap());
        assert_ne!(one, other);
        assert_eq!(from_text(&text(&one)).unwrap(), one);
        assert_eq!(from_text("not base64!"), None);
    }

    #[test]
    fn a_digest_is_sha_256() {
        // FIPS 180-4, the empty message.
        assert_eq!(fingerprint_text(&digest(b"")[..4]), "E3:B0:C4:42");
    }
}
