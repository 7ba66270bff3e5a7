//! Waiting for something to come true, without a fixed pause.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Asks `probe` until it gives something, but no longer than `within`; `what` is what we wait for.
///
/// # Errors
/// If time runs out.
pub fn eventually<T>(
    what: &str,
    within: Duration,
    mut probe: impl FnMut() -> Option<T>,
) -> Result<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = probe() {
            return Ok(found);
        }
        if Instant::now() > deadline {
            bail!("{what}: not within {within:?}");
        }
        sleep(Duration::from_millis(25));
    }
}

/// Whether `probe` holds at every look during `time`.
pub fn holds_for(time: Duration, mut probe: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + time;
    while Instant::now() < deadline {
        if !probe() {
            return false;
        }
        sleep(Duration::from_millis(25));
    }
    true
}
