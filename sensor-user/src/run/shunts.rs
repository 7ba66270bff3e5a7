//! The connections that the kernel was told to keep, and for how long.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sensor_ebpf::SHUNTS_MAX;
use tracing::warn;

use crate::capture::kernel::Kernel;

/// Should another connection come to use the same ports and its SYN be missed, it is seen again
/// after this at the latest. What still needs to be kept is asked for again by its next packets.
const KEPT_FOR: Duration = Duration::from_secs(600);

/// What the kernel keeps, the oldest first: as much as its table holds.
#[derive(Default)]
pub(super) struct Shunts(VecDeque<(Instant, [SocketAddr; 2])>);

impl Shunts {
    /// A decoder needs no more of the connection between `ends`.
    pub(super) fn add(&mut self, ends: [SocketAddr; 2], kernel: &mut Kernel) {
        if self.0.len() >= SHUNTS_MAX as usize {
            self.end_first(kernel);
        }
        match kernel.shunt(ends) {
            Ok(()) => self.0.push_back((Instant::now(), ends)),
            Err(error) => warn!("cannot shunt {} and {}: {error}", ends[0], ends[1]),
        }
    }

    /// Ends what was kept for long enough; to be called every second or so.
    pub(super) fn expire(&mut self, kernel: &mut Kernel) {
        while self
            .0
            .front()
            .is_some_and(|(since, _)| since.elapsed() >= KEPT_FOR)
        {
            self.end_first(kernel);
        }
    }

    fn end_first(&mut self, kernel: &mut Kernel) {
        if let Some((_, ends)) = self.0.pop_front()
            && let Err(error) = kernel.unshunt(ends)
        {
            warn!("cannot end a shunt: {error}");
        }
    }
}
