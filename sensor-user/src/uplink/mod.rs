//! The line to the console: a spool on disk, and a QUIC connection that empties it.

mod complaint;
mod files;
mod outbox;
mod snapshot;
pub mod spool;

pub use snapshot::{load_snapshot, save_snapshot};
