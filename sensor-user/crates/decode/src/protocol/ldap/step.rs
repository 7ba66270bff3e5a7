//! How a stream is read: one unit after another, a message, a buffer or a record.

/// What was done with the bytes at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// So many are done with, some of which may not be there yet.
    Done(usize),
    /// What is there is too little: bytes needed, and the length of what begins there, 0 if that
    /// cannot be told.
    Need(usize, usize),
    /// No unit begins here.
    Astray,
}
