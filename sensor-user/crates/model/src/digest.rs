//! One stable hash for everything that needs an identity.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The first 128 bits of a BLAKE3 hash over length-prefixed parts.
///
/// The same parts give the same digest on every machine and in every release: alert ids, activity
/// ids and ticket identities depend on it. An attacker who chooses the parts cannot make two
/// alerts, or two tickets, look like one.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 16]);

impl Digest {
    /// Hashes `parts`, each with its length, so that no two lists of parts run together.
    pub fn of(parts: &[&[u8]]) -> Self {
        /// What most digests are of; hashing it in one piece takes half the time.
        const SHORT: usize = 256;
        let length = parts.iter().map(|part| 8 + part.len()).sum::<usize>();
        let mut piece = [0; SHORT];
        if let Some(piece) = piece.get_mut(..length) {
            let mut rest = &mut *piece;
            for part in parts {
                for bytes in [&(part.len() as u64).to_le_bytes()[..], part] {
                    let (to, behind) = rest.split_at_mut(bytes.len());
                    to.copy_from_slice(bytes);
                    rest = behind;
                }
            }
            return Self::first(&blake3::hash(piece));
        }
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self::first(&hasher.finalize())
    }

    /// Hashes bytes that mean something only within what `self` is the digest of. One block of 64
    /// bytes is hashed in the least time there is.
    pub fn within(&self, bytes: &[u8]) -> Self {
        let mut key = [0; 32];
        key[..16].copy_from_slice(&self.0);
        Self::first(&blake3::keyed_hash(&key, bytes))
    }

    fn first(hash: &blake3::Hash) -> Self {
        let mut first = [0; 16];
        first.copy_from_slice(&hash.as_bytes()[..16]);
        Self(first)
    }

    /// The 16 bytes.
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Digest {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "expected 32 hexadecimal digits";
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(WRONG);
        }
        u128::from_str_radix(text, 16)
            .map(|value| Self(value.to_be_bytes()))
            .map_err(|_| WRONG)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_same_in_every_release() {
        assert_eq!(
            Digest::of(&[b"krbtgt", b"a"]).to_string(),
            "bda843be6a8b1c265a1d57476f5a8f05"
        );
    }

    #[test]
    fn depends_on_what_it_is_within() {
        let (sensor, other) = (Digest::of(&[b"dc1"]), Digest::of(&[b"dc2"]));
        assert_eq!(sensor.within(b"place"), sensor.within(b"place"));
        assert_ne!(sensor.within(b"place"), other.within(b"place"));
        assert_ne!(sensor.within(b"place"), sensor.within(b"places"));
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(Digest::of(&[b"ab", b"c"]), Digest::of(&[b"a", b"bc"]));
        assert_ne!(Digest::of(&[b"ab"]), Digest::of(&[b"ab", b""]));
    }

    #[test]
    fn survives_text() {
        let digest = Digest::of(&[b"x"]);
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!("not a digest".parse::<Digest>().is_err());
        assert!(
            "+0000000000000000000000000000000"
                .parse::<Digest>()
                .is_err()
        );
    }
}
