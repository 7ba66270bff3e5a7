//! Fuzz targets: one for each decoder.

#![forbid(unsafe_code)]

mod sealed;
mod story;

pub use sealed::opened;
pub use story::{Speech, run};
