//! Keys that an administrator laid down for the sensor, in the format of MIT's keytabs (version
//! 0x502, big-endian), as `samba-tool domain exportkeytab` and `ktutil` write them.
//!
//! With them tickets are opened and what is in them becomes part of the activities. The keys
//! themselves stay here: nothing prints them, and they are wiped when they are no longer needed.

mod cipher;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use goshawk_model::kerberos::etype_name;

use crate::wire::{Order, Wire};
pub(crate) use cipher::Etype;
use cipher::Secret;

/// Keys by the principals whose they are.
pub struct Keytab {
    /// By `class/instance@realm` in lower case.
    keys: BTreeMap<Box<str>, Vec<Key>>,
    /// Keys that are of no use here, by the number of their encryption type.
    useless: BTreeSet<i32>,
}

/// One key.
pub(crate) struct Key {
    pub(crate) kvno: u32,
    pub(crate) etype: Etype,
    secret: Secret,
}

/// Why a file is no keytab that is of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeytabError {
    /// It does not begin like one.
    NotAKeytab,
    /// It is of this older version.
    OldVersion(u8),
    /// It ends, or contradicts itself, in the entry that begins at this byte.
    Broken(usize),
    /// It has no key that opens a ticket; these are the encryption types of those it has.
    NoUsableKey(Vec<i32>),
}

/// Longest text of a principal that is taken, bytes.
const MAX_PRINCIPAL: usize = 1024;
/// Keys tried on a ticket beyond those of the principal that it names: services have other names than
/// their accounts, by which keytabs of a whole domain are ordered.
const MAX_STRANGERS: usize = 16;
/// Above these bits of a key's version is the number of the read-only controller that it belongs to
/// ([MS-KILE] 3.1.5.8).
const VERSION_BITS: u32 = 16;

impl Keytab {
    /// Reads a keytab.
    ///
    /// # Errors
    /// If it is none, or there is no key in it that opens a ticket.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeytabError> {
        let rest = match bytes {
            [5, 2, rest @ ..] => rest,
            [5, old @ 0..2, ..] => return Err(KeytabError::OldVersion(*old)),
            _ => return Err(KeytabError::NotAKeytab),
        };
        let mut keytab = Self {
            keys: BTreeMap::new(),
            useless: BTreeSet::new(),
        };
        let mut wire = Wire::new(rest, Order::Big);
        while !wire.rest().is_empty() {
            let at = bytes.len() - wire.rest().len();
            keytab.entry(&mut wire).ok_or(KeytabError::Broken(at))?;
        }
        if keytab.keys.is_empty() {
            let useless = keytab.useless.into_iter().collect();
            return Err(KeytabError::NoUsableKey(useless));
        }
        Ok(keytab)
    }

    /// Whether it has a key of the service that ticket-granting tickets are for.
    pub fn has_krbtgt(&self) -> bool {
        self.keys.keys().any(|name| name.starts_with("krbtgt"))
    }

    /// What may have sealed a ticket for `service`, the likeliest first.
    pub(crate) fn sealers(
        &self,
        service: &str,
        etype: Etype,
        kvno: Option<u32>,
    ) -> impl Iterator<Item = &Key> {
        let service = service.to_lowercase();
        let named = [
            read_only(&service, kvno),
            Some(service.clone()),
            computer(&service),
        ];
        let named: Vec<&[Key]> = named
            .into_iter()
            .flatten()
            .filter_map(|name| self.of(&name))
            .collect();
        let strangers = self.keys.values().filter(|_| named.is_empty());
        let few = self.keys.len() <= MAX_STRANGERS;
        let strangers = strangers.filter(move |_| few).map(Vec::as_slice);
        let all: Vec<&Key> = named
            .iter()
            .copied()
            .chain(strangers)
            .flatten()
            .filter(|key| key.etype == etype)
            .collect();
        // A forger may guess the version wrong, and its number is cut to 8 bits by old programs.
        let fits = move |key: &&Key| kvno.is_none_or(|kvno| key.has_version(kvno));
        let (first, then): (Vec<&Key>, Vec<&Key>) = all.into_iter().partition(fits);
        first.into_iter().chain(then).take(MAX_STRANGERS)
    }

    /// The keys of `krbtgt` of `realm`, or of its read-only controller with this number.
    pub(crate) fn krbtgt(&self, realm: &str, read_only: Option<u16>) -> &[Key] {
        let realm = realm.to_lowercase();
        let name = match read_only {
            Some(number) => format!("krbtgt_{number}@{realm}"),
            None => format!("krbtgt/{realm}@{realm}"),
        };
        self.of(&name).unwrap_or_default()
    }

    fn of(&self, principal: &str) -> Option<&[Key]> {
        self.keys.get(principal).map(Vec::as_slice)
    }

    /// Takes an entry, or the hole that a removed one has left.
    fn entry(&mut self, wire: &mut Wire<'_>) -> Option<()> {
        let size = wire.u32()?.cast_signed();
        let length = usize::try_from(size.unsigned_abs()).ok()?;
        if size <= 0 {
            // What follows an entry of no length is room that was set aside.
            let hole = if size == 0 { wire.rest().len() } else { length };
            wire.take(hole)?;
            return Some(());
        }
        let mut entry = Wire::new(wire.take(length)?, Order::Big);
        let principal = principal(&mut entry)?;
        let (_name_type, _timestamp) = (entry.u32()?, entry.u32()?);
        let short = entry.u8()?;
        let number = i32::from(entry.u16()?.cast_signed());
        let length = entry.u16()?;
        let secret = entry.take(length.into())?;
        let long = entry.u32().filter(|&version| version != 0);
        match Etype::new(number) {
            Some(etype) if etype.key_length() == secret.len() => {
                self.keys.entry(principal.into()).or_default().push(Key {
                    kvno: long.unwrap_or(short.into()),
                    etype,
                    secret: Secret::new(secret.to_vec()),
                });
            }
            _ => {
                self.useless.insert(number);
            }
        }
        Some(())
    }
}

impl Key {
    /// What this key has sealed in `sealed`; `None` if another one did.
    pub(crate) fn open(&self, usage: u32, sealed: &[u8]) -> Option<Secret> {
        self.etype.open(&self.secret, usage, sealed)
    }

    /// Whether `checksum` is this key's over `message`.
    pub(crate) fn signed(&self, usage: u32, message: &[u8], checksum: &[u8]) -> bool {
        let expected = self.etype.checksum(&self.secret, usage, message);
        expected.is_some_and(|expected| *expected == *checksum)
    }

    fn has_version(&self, kvno: u32) -> bool {
        self.kvno == kvno || self.kvno == kvno & ((1 << VERSION_BITS) - 1)
    }
}

/// `class/instance@realm`, in lower case.
fn principal(entry: &mut Wire<'_>) -> Option<String> {
    let count = entry.u16()?;
    let realm = text(entry)?;
    let mut principal = String::new();
    for index in 0..count {
        if index > 0 {
            principal.push('/');
        }
        principal.push_str(&text(entry)?);
        if principal.len() > MAX_PRINCIPAL {
            return None;
        }
    }
    if principal.eq_ignore_ascii_case("krbtgt") {
        // The account's name for what its tickets call `krbtgt/realm`.
        principal = format!("krbtgt/{realm}");
    }
    Some(format!("{principal}@{realm}").to_lowercase())
}

fn text(entry: &mut Wire<'_>) -> Option<String> {
    let length = entry.u16()?;
    let bytes = entry.take(length.into())?;
    (bytes.len() <= MAX_PRINCIPAL).then(|| String::from_utf8_lossy(bytes).into_owned())
}

/// `krbtgt_12345@realm` of the read-only controller whose number is in the key's version.
fn read_only(service: &str, kvno: Option<u32>) -> Option<String> {
    let number = kvno
        .map(|kvno| kvno >> VERSION_BITS)
        .filter(|&number| number != 0)?;
    let (_, realm) = service.strip_prefix("krbtgt/")?.split_once('@')?;
    Some(format!("krbtgt_{number}@{realm}"))
}

/// `dc1$@realm`, whose key seals the tickets of `cifs/dc1.realm@realm`.
fn computer(service: &str) -> Option<String> {
    let (name, realm) = service.rsplit_once('@')?;
    let (_, host) = name.split_once('/')?;
    let short = host.split(['.', ':', '/']).next()?;
    Some(format!("{short}$@{realm}"))
}

/// Which principals' keys, of which versions and encryption types: never the keys themselves.
impl fmt::Display for Keytab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Principals named before the rest is counted.
        const NAMED: usize = 8;
        for (at, (principal, keys)) in self.keys.iter().take(NAMED).enumerate() {
            let versions: BTreeSet<u32> = keys.iter().map(|key| key.kvno).collect();
            let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
            let separator = if at > 0 { ", " } else { "" };
            let versions = versions.join(", ");
            let principal = principal.replace(char::is_control, "\u{fffd}");
            write!(f, "{separator}{principal} (version {versions})")?;
        }
        match self.keys.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// As [`Display`](fmt::Display): a derived one would print keys.
impl fmt::Debug for Keytab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keytab({self})")
    }
}

impl fmt::Display for KeytabError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAKeytab => f.write_str("not a keytab: it does not begin with the bytes 05 02"),
            Self::OldVersion(version) => write!(
                f,
                "a keytab of version 0x50{version}, which is read no more; write it anew, with ktutil \
                 (rkt, wkt) for one"
            ),
            Self::Broken(at) => {
                write!(f, "a broken keytab: the entry at byte {at} is cut or wrong")
            }
            Self::NoUsableKey(etypes) if etypes.is_empty() => f.write_str("a keytab without a key"),
            Self::NoUsableKey(etypes) => {
                let names: Vec<String> = etypes
                    .iter()
                    .map(|&etype| format!("{} ({etype})", etype_name(etype)))
                    .collect();
                write!(
                    f,
                    "a keytab without a key for AES or RC4; it has keys for {}",
                    names.join(", ")
                )
            }
        }
    }
}

impl std::error::Error for KeytabError {}

#[cfg(test)]
mod tests;
