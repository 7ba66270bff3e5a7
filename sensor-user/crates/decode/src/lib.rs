//! Packets in, activities out.
//!
//! A [`Decoder`] is fed [`Frame`]s and says, as [`Decoded`] activities, what was done in them. It
//! works in the order of the layers, each in a folder of its own:
//!
//! - `link`: the frame's outermost headers, down to an IP packet.
//! - `flow`: IP fragments and TCP streams; layers 3 and 4, and nothing above.
//! - `protocol`: what the bytes mean, one folder for each protocol.
//! - `inventory`: which computers all that shows.
//! - `keytab`: keys that tickets are opened with, where there are any.
//!
//! There is no I/O here, no clock and no thread: time is the packets' own, and what comes out
//! depends on nothing but the frames and ticks that went in. Every table is bounded by [`Limits`],
//! every loss is counted by name in [`Stats`].

#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

mod decoder;
mod der;
mod flow;
mod frame;
mod inventory;
mod keytab;
mod limits;
mod link;
mod protocol;
mod shard;
mod stats;
mod wire;

pub use decoder::{Decoded, Decoder};
pub use frame::{Frame, LinkType};
pub use keytab::{Keytab, KeytabError};
pub use limits::Limits;
pub use link::Tunnels;
pub use shard::Sharder;
pub use stats::{Drop, Protocol, ProtocolStats, Stats};
