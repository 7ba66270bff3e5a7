//! The spool: alerts on disk until the console keeps them, and for a while after.
//!
//! [`SpoolWriter`] takes alerts from the engine without making it wait; [`Spool`] is the file;
//! [`room`](Room) says who goes when it is full.

mod error;
mod open;
mod room;
#[cfg(test)]
pub(crate) mod samples;
mod store;
#[cfg(test)]
mod tests;
mod writer;

pub use error::SpoolError;
pub use open::spool_path;
pub use room::{DEFAULT_LIMIT, MIN_LIMIT, Room};
pub use store::{Pushed, Spool};
pub(crate) use writer::SpoolView;
pub use writer::SpoolWriter;
