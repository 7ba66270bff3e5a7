//! Where packets come from: the kernel's rings when live, files in a replay.
//!
//! Both stand behind [`Source`], so nothing above this folder knows the difference.

pub mod attach;
pub mod file;
pub mod kernel;
pub mod ring;

use std::time::Duration;

use goshawk_decode::Frame;
use goshawk_model::Timestamp;

/// A stream of packets in the order of their capture, owned by one worker thread.
pub trait Source: Send {
    /// Hands every packet that is ready to `sink`, oldest first and with the number of the worker's
    /// decoder that it belongs to, and waits up to `patience` when none is.
    ///
    /// # Errors
    /// When the source has failed for good; a loss is counted, not an error.
    fn poll(
        &mut self,
        patience: Duration,
        sink: &mut dyn FnMut(usize, Frame<'_>),
    ) -> anyhow::Result<Progress>;

    /// The last step of the clock since this was asked: the time that it was, and the time that it
    /// became.
    fn take_clock_step(&mut self) -> Option<(Timestamp, Timestamp)> {
        None
    }

    /// What the source itself lost so far, by name.
    fn losses(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

/// How far a source has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// No packet older than this will come any more: a watermark.
    Upto(Timestamp),
    /// No packet will come any more.
    End,
}
