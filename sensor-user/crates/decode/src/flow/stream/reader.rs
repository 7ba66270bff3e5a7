//! What a stream and whoever reads it say to each other.

use crate::flow::Side;

/// Who reads the stream: it knows where messages start and end.
pub(crate) trait Reader {
    /// Whether a message starts with these bytes, which begin a segment. Asked where the boundaries
    /// of messages are not known.
    fn starts_message(&mut self, side: Side, bytes: &[u8]) -> Verdict;

    /// Reads messages from `bytes`, which begin with one.
    fn read(&mut self, side: Side, bytes: &[u8]) -> Progress;

    /// `head` begins a message whose rest was lost.
    fn read_cut(&mut self, side: Side, head: &[u8]);

    /// Something of the stream was lost.
    fn lost(&mut self, side: Side, loss: Loss);
}

/// Whether a message starts with certain bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Yes,
    No,
    /// So many bytes, counted from the first one, would tell.
    Need(usize),
}

/// How far a [`Reader`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// All messages at hand are read.
    Read {
        /// Bytes done with, counted from the first one offered; those beyond the bytes at hand are
        /// of no interest and will be skipped.
        taken: usize,
        /// Bytes from there on without which it makes no sense to read again.
        need: usize,
        /// Length of the message there, `0` if that cannot be told yet.
        length: usize,
    },
    /// What is there is no message: the boundaries are lost.
    Astray,
}

/// What can be lost of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// A segment that never came.
    Gap,
    /// A segment too far away to be taken.
    Stray,
}
