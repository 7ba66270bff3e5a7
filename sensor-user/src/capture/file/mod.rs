//! Captures on disk: pcap and pcapng, plain, gzip or zstd, or from standard input.
//!
//! [`CaptureFile`] reads one; [`Captures`] makes several one stream, merged by time or one after
//! another, on a [`Timeline`] that never runs backwards.

mod input;
mod merge;
mod reader;
mod records;
mod timeline;

use std::path::PathBuf;

use goshawk_decode::LinkType;
use goshawk_model::Timestamp;

pub use merge::{Captures, Problem};
pub use reader::CaptureFile;
pub use timeline::Timeline;

/// One packet of a capture file; its bytes are where the file was read to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// When it was captured, as the file says.
    pub time: Timestamp,
    /// What its first bytes are.
    pub link: LinkType,
    /// Length on the wire, bytes.
    pub wire_len: u32,
    /// The bytes captured.
    pub data: &'a [u8],
}

/// Why a capture file could not be read, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be opened or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Its first bytes are neither pcap's nor pcapng's.
    #[error("{}: not a capture file (neither pcap nor pcapng, plain, gzip or zstd)", path.display())]
    NotACapture {
        /// The file.
        path: PathBuf,
    },
    /// Its link layer is one we do not read, for all of its packets.
    #[error("{}: link type {link} is not supported (Ethernet, Linux cooked, raw IP and BSD null are)", path.display())]
    LinkType {
        /// The file.
        path: PathBuf,
        /// The `LINKTYPE_` value.
        link: i32,
    },
    /// What follows a packet is no packet.
    #[error("{}: corrupt after packet {packets}: {why}; what came before it was read", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Packets read before.
        packets: u64,
        /// What is wrong.
        why: &'static str,
    },
}
