//! An engine's state on its way through a restart.
//!
//! A snapshot is one CBOR map: a magic word, a version, and the state as maps of named fields.
//! Fields that this version does not know are ignored, fields it misses are defaulted; so a state
//! survives an update in either direction as long as the version stays.

use serde::{Deserialize, Serialize};

use goshawk_model::Timestamp;

use crate::clock::Clock;
use crate::detections::Detections;
use crate::knowledge::Knowledge;

const MAGIC: &str = "goshawk-engine";
/// Rises when a field changes its meaning.
const VERSION: u16 = 1;

/// Everything in an engine but its settings.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    pub(crate) activities: u64,
    pub(crate) clock: Clock,
    /// When windows were looked after last.
    pub(crate) swept: Timestamp,
    pub(crate) knowledge: Knowledge,
    pub(crate) detections: Detections,
}

/// Why a snapshot was not restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The bytes do not read as a snapshot.
    #[error("the engine's snapshot is damaged: {0}")]
    Damaged(String),
    /// A later version wrote it.
    #[error("the engine's snapshot has version {found}; this build reads up to {VERSION}")]
    Newer {
        /// The version it has.
        found: u16,
    },
}

#[derive(Deserialize)]
struct Head {
    magic: String,
    version: u16,
}

pub(crate) fn write(state: &State) -> Vec<u8> {
    #[derive(Serialize)]
    struct Snapshot<'a> {
        magic: &'static str,
        version: u16,
        state: &'a State,
    }

    let mut bytes = Vec::new();
    let snapshot = Snapshot {
        magic: MAGIC,
        version: VERSION,
        state,
    };
    // Writing to memory fails only for types that CBOR cannot hold; State has none, as every test
    // that restores one shows.
    if ciborium::into_writer(&snapshot, &mut bytes).is_err() {
        bytes.clear();
    }
    bytes
}

pub(crate) fn read(bytes: &[u8]) -> Result<State, RestoreError> {
    #[derive(Deserialize)]
    struct Snapshot {
        state: State,
    }

    let damaged = |error: ciborium::de::Error<_>| RestoreError::Damaged(plain(&error));
    let head: Head = ciborium::from_reader(bytes).map_err(damaged)?;
    if head.magic != MAGIC {
        return Err(RestoreError::Damaged("it is something else".to_owned()));
    }
    if head.version > VERSION {
        return Err(RestoreError::Newer {
            found: head.version,
        });
    }
    let snapshot: Snapshot = ciborium::from_reader(bytes).map_err(damaged)?;
    Ok(snapshot.state)
}

/// A decoder's complaint in words.
fn plain(error: &ciborium::de::Error<std::io::Error>) -> String {
    match error {
        ciborium::de::Error::Io(_) => "it ends too early".to_owned(),
        ciborium::de::Error::Syntax(at) => format!("no CBOR at byte {at}"),
        ciborium::de::Error::Semantic(_, what) => what.clone(),
        ciborium::de::Error::RecursionLimitExceeded => "it nests too deeply".to_owned(),
    }
}
