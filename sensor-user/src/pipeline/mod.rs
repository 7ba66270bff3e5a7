//! From packets to alerts: workers decode, one engine thinks, nothing is reordered.
//!
//! ```text
//! Source ─► worker: Decoder(s) ─┐
//! Source ─► worker: Decoder(s) ─┼─► Merge by (time, origin) ─► Engine ─► alerts
//! Source ─► worker: Decoder(s) ─┘      up to the lowest watermark
//! ```
//!
//! A worker owns its source and all flows of its address pairs, so workers share nothing. Each
//! reports what it decoded and how far it has come; [`merge::Merge`] releases activities once no
//! worker can produce an older one, so the engine sees one order whatever the number of workers.

pub mod deal;
pub mod merge;
pub mod mind;
pub mod worker;

use goshawk_decode::{Decoded, Stats};
use goshawk_model::Timestamp;

/// What a worker has done since its last report.
#[derive(Debug)]
pub struct Report {
    /// Which worker.
    pub worker: usize,
    /// It will produce nothing older than this any more; [`Timestamp::MAX`] when it has ended.
    pub watermark: Timestamp,
    /// What it decoded, in no particular order.
    pub decoded: Vec<Decoded>,
    /// The clock was set: the time that it was, and the time that it became.
    pub clock_step: Option<(Timestamp, Timestamp)>,
    /// What was counted since the start; not in every report.
    pub counts: Option<Box<Counts>>,
}

/// What a worker and its source counted.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// By its decoders.
    pub decoders: Stats,
    /// By its source: what it lost, by name.
    pub source: Vec<(&'static str, u64)>,
}

impl Counts {
    /// Adds what another worker counted.
    pub fn merge(&mut self, other: &Self) {
        self.decoders.merge(&other.decoders);
        for &(name, count) in &other.source {
            match self.source.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += count,
                None => self.source.push((name, count)),
            }
        }
    }
}

/// Reports that may wait for the engine; then workers wait, their rings fill, and the loss is
/// counted where it happens.
pub const REPORTS_IN_FLIGHT: usize = 64;

/// Workers where nothing else is said: one for each core, at most four.
pub fn default_workers() -> usize {
    std::thread::available_parallelism()
        .map_or(1, std::num::NonZero::get)
        .min(4)
}
