//! Fuzz targets: one for each decoder.

#![forbid(unsafe_code)]

mod story;

pub use story::{Speech, run};
