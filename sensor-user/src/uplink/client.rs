//! The uplink's thread: connects, converses, waits, and again.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use goshawk_model::{SensorHealth, frame};
use rand::Rng;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::dial::Line;
use super::papers::{Papers, Stamp};
use super::session::{Parties, converse};
use super::spool::SpoolView;
use super::state::State;
use super::tls::Trust;
use super::trouble::Trouble;

/// The first pause after a connection failed, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// The pause after a refusal that somebody must see to.
const REFUSED_PAUSE: Duration = Duration::from_secs(600);
/// How often a pause looks for new papers: who enrolls need not restart the daemon.
const PAPERS_INTERVAL: Duration = Duration::from_secs(2);

/// Everything the thread works with.
pub(super) struct Client {
    pub(super) state_dir: PathBuf,
    pub(super) mode: String,
    pub(super) view: SpoolView,
    pub(super) health: watch::Receiver<SensorHealth>,
    pub(super) stop: watch::Receiver<Option<Instant>>,
    pub(super) state: Arc<State>,
}

impl Client {
    /// Runs until told to stop.
    pub(super) async fn run(mut self) {
        self.await_spool().await;
        let mut failures = 0;
        while !self.stopping() {
            let stamp = Papers::stamp(&self.state_dir);
            self.view
                .awaits_console
                .store(stamp.is_some(), Ordering::Relaxed);
            let pause = match Papers::load(&self.state_dir) {
                Ok(None) => {
                    self.state.alone();
                    REFUSED_PAUSE
                }
                Err(line) => {
                    self.state.disconnected(&line);
                    REFUSED_PAUSE
                }
                Ok(Some(papers)) => {
                    self.state.connecting();
                    match self.visit(&papers).await {
                        Ok(()) => return,
                        Err(failed) => {
                            self.state.disconnected(&failed.trouble.line);
                            failures = if failed.was_welcome { 0 } else { failures + 1 };
                            if failed.trouble.permanent {
                                REFUSED_PAUSE
                            } else {
                                backoff(failures, rand::rng().random_range(0.5..1.0))
                            }
                        }
                    }
                }
            };
            self.pause(pause, stamp).await;
        }
    }

    /// Waits until the writer has opened the spool: before, its file may be there without a table.
    async fn await_spool(&mut self) {
        tokio::select! {
            // Neither fails but for the end of its sender, which the loop sees as a stop.
            _ = self.view.committed.wait_for(|committed| committed.generation != 0) => {}
            _ = self.stop.changed() => {}
        }
    }

    /// One connection, from the first packet to the last.
    async fn visit(&mut self, papers: &Papers) -> Result<(), Failed> {
        let trust = Trust::Authority(papers.ca.clone());
        let line = Line::open(&papers.address, trust, Some(papers), frame::ALPN)
            .await
            .map_err(|trouble| Failed {
                trouble,
                was_welcome: false,
            })?;
        let parties = Parties {
            state_dir: &self.state_dir,
            papers,
            mode: &self.mode,
            view: &mut self.view,
            health: &mut self.health,
            stop: &mut self.stop,
            state: &self.state,
        };
        let ended = converse(&line.connection, parties).await;
        line.close("the sensor hangs up").await;
        ended.map_err(|trouble| Failed {
            trouble,
            was_welcome: self.state.is_connected() == Some(true),
        })
    }

    /// Waits, but not beyond a stop or a change of the papers.
    async fn pause(&mut self, pause: Duration, stamp: Option<Stamp>) {
        let until = Instant::now() + pause;
        while Instant::now() < until && !self.stopping() && Papers::stamp(&self.state_dir) == stamp
        {
            let step = PAPERS_INTERVAL.min(until - Instant::now());
            if matches!(timeout(step, self.stop.changed()).await, Ok(Err(_))) {
                // Nobody is left who could say stop; `stopping` sees that too.
                sleep(step).await;
            }
        }
    }

    fn stopping(&self) -> bool {
        self.stop.borrow().is_some() || self.stop.has_changed().is_err()
    }
}

struct Failed {
    trouble: Trouble,
    was_welcome: bool,
}

/// The pause after `failures` in a row, by `jitter` (up to 1) shorter, so that a console which
/// comes back is not met by all its sensors at once.
fn backoff(failures: u32, jitter: f64) -> Duration {
    let (first, longest) = BACKOFF;
    let doubled = first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    doubled.min(longest).mul_f64(jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute() {
        let pauses: Vec<_> = (0..9).map(|n| backoff(n, 1.0).as_secs()).collect();
        assert_eq!(pauses, [1, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff(u32::MAX, 1.0), BACKOFF.1);
        assert_eq!(backoff(1, 0.5), Duration::from_millis(500));
    }
}
