//! Ctrl-C, heard instead of suffered: what the demo made is taken down in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{SigSet, Signal};

/// Whether the audience wants to leave.
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens for SIGINT and SIGTERM from now on. Call before other threads start.
    pub(super) fn listen() -> Result<Self> {
        let mut set = SigSet::empty();
        set.add(Signal::SIGINT);
        set.add(Signal::SIGTERM);
        set.thread_block().context("cannot block signals")?;
        let came = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&came);
        thread::spawn(move || {
            if set.wait().is_ok() {
                flag.store(true, Ordering::Release);
            }
        });
        Ok(Self(came))
    }

    /// Whether one has come.
    pub(super) fn came(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Waits for one.
    pub(super) fn wait(&self) {
        while !self.came() {
            thread::sleep(Duration::from_millis(50));
        }
    }
}
