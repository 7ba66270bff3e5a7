//! Packets in, activities out.

#![forbid(unsafe_code)]

mod frame;

pub use frame::{Frame, LinkType};
