//! The keytab that tickets are opened with, where the administrator has laid one down.
//!
//! It is read while the sensor may still read everything; afterwards only if its user may. Its keys
//! live in memory alone, and are wiped there. A file that others can read is refused, as ssh does with
//! private keys: who reads `krbtgt`'s key can be anybody in the domain.

use std::fs::File;
use std::io::{Read, Take};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use goshawk_decode::Keytab;
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::config::ConfigError;

/// What decoders open tickets with: the keytab as it was last read.
pub type Keys = watch::Receiver<Option<Arc<Keytab>>>;

/// Longest file that is read, bytes: the keys of some hundred thousand accounts.
const MAX_FILE: u64 = 64 << 20;
/// Permissions of everybody but the owner.
const OTHERS: u32 = 0o077;

/// A keytab, and what to be warned of.
#[derive(Debug)]
pub struct Loaded {
    /// The keys.
    pub keytab: Arc<Keytab>,
    /// That others can read the file.
    pub exposed: Option<ConfigError>,
}

/// Reads the keytab at `path`, also if others can read it.
///
/// # Errors
/// If it cannot be read, or is no keytab with keys that are of use.
pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
    let io = |cause| ConfigError::Io {
        path: path.to_owned(),
        cause,
    };
    let invalid = |why: String| ConfigError::Invalid {
        place: path.display().to_string(),
        why,
    };
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(invalid("a keytab is a file, and this is none".to_owned()));
    }
    if metadata.len() > MAX_FILE {
        let why = format!("{} bytes are too many for a keytab", metadata.len());
        return Err(invalid(why));
    }
    let bytes = read(file.take(MAX_FILE), metadata.len()).map_err(io)?;
    let keytab = Keytab::parse(&bytes).map_err(|error| invalid(error.to_string()))?;
    let mode = metadata.mode() & 0o777;
    let exposed = (mode & OTHERS != 0).then(|| {
        invalid(format!(
            "others than its owner can read these keys (mode {mode:04o}); chmod 600 {}",
            path.display()
        ))
    });
    Ok(Loaded {
        keytab: Arc::new(keytab),
        exposed,
    })
}

/// Reads the keytab at `path`, if there is to be one, and if nobody but its owner can read it.
///
/// # Errors
/// If it cannot be read, is no keytab with keys that are of use, or lies open.
pub fn guarded(path: Option<&Path>) -> Result<Option<Arc<Keytab>>, ConfigError> {
    let Some(path) = path else {
        return Ok(None);
    };
    let loaded = load(path)?;
    match loaded.exposed {
        Some(exposed) => Err(exposed),
        None => Ok(Some(loaded.keytab)),
    }
}

/// The whole file, in memory that is wiped: with room enough from the start, for what grows leaves
/// copies behind.
fn read(mut file: Take<File>, length: u64) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let room = usize::try_from(length).unwrap_or_default() + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A keytab with one key of `krbtgt/X@X`, for AES256.
    fn file(mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut entry = vec![0, 2, 0, 1, b'X', 0, 6];
        entry.extend(b"krbtgt\0\x01X");
        entry.extend([0, 0, 0, 1, 0, 0, 0, 0, 3, 0, 18, 0, 32]);
        entry.extend([7; 32]);
        let length = (entry.len() as u32).to_be_bytes();
        fs::write(file.path(), [&[5, 2][..], &length, &entry].concat()).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn keys_that_lie_open_are_refused_where_they_are_guarded() {
        let open = file(0o640);
        let refused = guarded(Some(open.path())).unwrap_err().to_string();
        assert!(
            refused.contains("mode 0640") && refused.contains("chmod 600"),
            "{refused}"
        );
        assert!(load(open.path()).unwrap().exposed.is_some());
        let shut = file(0o600);
        let keytab = guarded(Some(shut.path())).unwrap().expect("a keytab");
        assert_eq!(keytab.to_string(), "krbtgt/x@x (version 3)");
        assert!(guarded(None).unwrap().is_none());
    }

    #[test]
    fn what_is_no_keytab_says_so() {
        let place = tempfile::tempdir().unwrap();
        let said = |path: &Path| load(path).unwrap_err().to_string();
        assert!(said(place.path()).contains("this is none"));
        assert!(said(&place.path().join("absent")).contains("No such file"));
        let text = place.path().join("text");
        fs::write(&text, "krbtgt:aes256:00").unwrap();
        assert!(said(&text).contains("not a keytab"));
    }
}
