//! The line to the console: a spool on disk, and a QUIC connection that empties it.
//!
//! ```text
//! engine ─► SpoolWriter ─► spool.db ─► session ─► console
//!           (a thread)        │           └─ Ack ─► spool.db
//!                             └─► `goshawk-sensor alerts`, another process
//! ```
//!
//! The spool is the truth: an alert is in it before anybody hears of it, and leaves when the
//! console has said that it keeps it. The connection holds nothing that a crash could lose.
//! Without enrollment nobody is called and the sensor works all the same.

mod client;
mod complaint;
mod dial;
mod enroll;
mod files;
pub(crate) mod outbox;
mod papers;
mod session;
mod snapshot;
pub mod spool;
mod state;
mod tls;
mod trouble;
mod wire;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use goshawk_model::SensorHealth;
use tokio::sync::watch;

use client::Client;
use papers::Papers;
use spool::SpoolWriter;
use state::State;

pub use enroll::{EnrollError, Enrollment, enroll};
pub use snapshot::{load_snapshot, save_snapshot};

/// Whether `state_dir` holds the papers of an enrolled sensor.
pub fn is_enrolled(state_dir: &Path) -> bool {
    Papers::stamp(state_dir).is_some()
}

/// Starts lines to the console.
pub struct Uplink;

/// What the uplink needs to know.
#[derive(Clone, Debug)]
pub struct UplinkConfig {
    /// Where spool and papers are.
    pub state_dir: PathBuf,
    /// The mode of capture, for the console to show.
    pub mode: String,
}

impl Uplink {
    /// Starts the thread that keeps the console informed: alerts as `spool` commits them, and the
    /// latest `health` every 10 s. A sensor that is not enrolled yet is watched for its enrollment.
    ///
    /// # Errors
    /// If the system gives no thread or no event queue.
    pub fn start(
        config: UplinkConfig,
        spool: &SpoolWriter,
        health: watch::Receiver<SensorHealth>,
    ) -> io::Result<Handle> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = watch::channel(None);
        let state = Arc::new(State::default());
        let client = Client {
            state_dir: config.state_dir,
            mode: config.mode,
            view: spool.view(),
            health,
            stop: stopped,
            state: Arc::clone(&state),
        };
        let thread = thread::Builder::new()
            .name("uplink".into())
            .spawn(move || runtime.block_on(client.run()))?;
        Ok(Handle {
            state,
            stop,
            thread,
        })
    }
}

/// A running uplink. Dropped, it ends by itself and tells nobody; see [`Handle::shutdown`].
pub struct Handle {
    state: Arc<State>,
    stop: watch::Sender<Option<tokio::time::Instant>>,
    thread: JoinHandle<()>,
}

impl Handle {
    /// Whether the console is connected; `None` without enrollment.
    pub fn connected(&self) -> Option<bool> {
        self.state.is_connected()
    }

    /// What is wrong with the line now, one clear line each.
    pub fn problems(&self) -> Vec<String> {
        self.state.problems()
    }

    /// Delivers what is spooled, says goodbye and ends, within `deadline` or little more; what is
    /// not acknowledged by then stays in the spool. Flush the spool's writer first.
    pub fn shutdown(self, deadline: Duration) {
        /// For the goodbye itself.
        const GRACE: Duration = Duration::from_millis(400);
        let until = Instant::now() + deadline;
        self.stop.send_replace(Some(until.into()));
        // A thread that is stuck (a name server that does not answer) ends with the process.
        while !self.thread.is_finished() && Instant::now() < until + GRACE {
            thread::sleep(Duration::from_millis(5));
        }
    }
}
