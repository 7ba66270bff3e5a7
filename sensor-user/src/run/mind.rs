//! The engine's thread, live: thinks, hands out what it finds, and remembers.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError};
use goshawk_detect::{Engine, Input, Settings, Stats};
use goshawk_model::{Coverage, Gap, GapReason, Timestamp};
use tracing::{info, warn};

use super::now;
use super::outlets::Outlets;
use crate::pipeline::mind::Mind;
use crate::pipeline::{Counts, Report};
use crate::uplink::{load_snapshot, save_snapshot};

/// How long the engine waits for reports before it looks at the clock and its orders.
const PATIENCE: Duration = Duration::from_millis(50);
/// How often the engine's memory is saved when nothing happens.
const SAVE_EVERY: Duration = Duration::from_secs(60);
/// How soon after an alert is raised it is saved, so that a sensor that was killed goes on with the
/// campaign that the console knows instead of raising it anew.
const SAVE_AFTER_ALERT: Duration = Duration::from_secs(1);
/// Saving may take this part of the time at most: a large memory is saved less often.
const SAVING_SHARE: u32 = 50;
/// How often the house is shown how things stand.
const PUBLISH_EVERY: Duration = Duration::from_millis(250);

/// What the house tells the engine.
pub(super) enum Order {
    /// Activities may have been missed.
    Gap(Gap),
    /// The configuration was read again.
    Reload(Box<Settings>),
    /// Save and end, no later than this.
    Farewell(Instant),
}

/// What the engine's thread shows the house.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// What decoders and sources counted.
    pub(super) counts: Counts,
    /// Activities so far.
    pub(super) activities: u64,
    /// Alerts raised so far.
    pub(super) alerts: u64,
    /// Activities that came too late to be in order.
    pub(super) late: u64,
    /// What the engine forgot or held back, by name.
    pub(super) forgotten: Vec<(String, u64)>,
    /// Baselines still learned.
    pub(super) learning: Vec<(String, Timestamp)>,
    /// When the engine last looked, and how far the slowest worker had come.
    pub(super) looked: Option<(Instant, Timestamp)>,
    /// Why the engine's memory could not be saved, while it cannot.
    pub(super) unsaved: Option<String>,
}

/// The engine with its inbox and its outlets.
pub(super) struct LiveMind {
    mind: Mind<Outlets>,
    state_dir: PathBuf,
    view: Arc<Mutex<View>>,
    published: Instant,
    saved: Instant,
    saving_took: Duration,
    raised_at_save: u64,
}

impl LiveMind {
    /// An engine fed by this many workers, which remembers what it knew when it last ran.
    pub(super) fn new(
        settings: Settings,
        state_dir: PathBuf,
        workers: usize,
        outlets: Outlets,
        view: Arc<Mutex<View>>,
    ) -> Self {
        let controllers = [settings.controllers.clone(), settings.own_addresses.clone()].concat();
        let mut engine = Engine::new(settings);
        let remembers = restore(&mut engine, &state_dir);
        let (from, to) = (engine.now(), now());
        let mut mind = Mind::new(engine, workers, outlets);
        if remembers {
            mind.tell(Input::Gap(Gap {
                from,
                to,
                reason: GapReason::Stopped,
            }));
        }
        for controller in controllers {
            mind.tell(Input::Coverage(Coverage {
                controller,
                from: to,
            }));
        }
        let (published, saved) = (Instant::now(), Instant::now());
        Self {
            mind,
            state_dir,
            view,
            published,
            saved,
            saving_took: Duration::ZERO,
            raised_at_save: 0,
        }
    }

    /// Thinks until told farewell, or until every worker has failed.
    pub(super) fn run(mut self, reports: &Receiver<Report>, orders: &Receiver<Order>) {
        loop {
            if !self.mind.step(reports, PATIENCE, now()) {
                // The workers are gone, and say why to the house; what is left is its farewell.
                std::thread::sleep(PATIENCE);
            }
            match orders.try_recv() {
                Ok(Order::Gap(gap)) => self.mind.tell(Input::Gap(gap)),
                Ok(Order::Reload(settings)) => self.mind.engine_mut().reload(*settings),
                Ok(Order::Farewell(deadline)) => return self.farewell(reports, deadline),
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {}
            }
            if self.published.elapsed() >= PUBLISH_EVERY {
                self.publish();
            }
            let raised = self.mind.listener().raised;
            let due = if raised > self.raised_at_save {
                SAVE_AFTER_ALERT
            } else {
                SAVE_EVERY
            };
            if self.saved.elapsed() >= due.max(self.saving_took * SAVING_SHARE) {
                self.save();
            }
        }
    }

    fn farewell(mut self, reports: &Receiver<Report>, deadline: Instant) {
        while Instant::now() < deadline && self.mind.step(reports, PATIENCE, now()) {}
        self.mind.drain(reports);
        self.save();
        self.publish();
    }

    fn publish(&mut self) {
        self.published = Instant::now();
        let mut view = lock(&self.view);
        *view = View {
            counts: self.mind.counts(),
            activities: self.mind.activities(),
            alerts: self.mind.listener().raised,
            late: self.mind.late(),
            forgotten: forgotten(&self.mind.engine().stats()),
            learning: self.mind.engine().learning(),
            looked: Some((self.published, self.mind.watermark())),
            unsaved: view.unsaved.take(),
        };
    }

    fn save(&mut self) {
        let began = Instant::now();
        self.raised_at_save = self.mind.listener().raised;
        let saved = save_snapshot(&self.state_dir, &self.mind.engine().snapshot());
        self.saved = Instant::now();
        self.saving_took = self.saved - began;
        lock(&self.view).unsaved = saved.err().map(|error| {
            format!(
                "cannot save what the engine knows in {}: {error}",
                self.state_dir.display()
            )
        });
    }
}

/// What the engine's bounds cost: evicted entries by table, held-back findings by detection.
fn forgotten(stats: &Stats) -> Vec<(String, u64)> {
    let tables = stats
        .tables
        .iter()
        .map(|(name, table)| (format!("evicted-{name}"), table.evicted));
    let campaigns = stats.campaigns.iter().flat_map(|(id, campaigns)| {
        let capped = (format!("alerts-capped-{id}"), campaigns.capped);
        [
            capped,
            (
                format!("campaigns-closed-early-{id}"),
                campaigns.closed_early,
            ),
        ]
    });
    tables
        .chain(campaigns)
        .filter(|&(_, count)| count > 0)
        .collect()
}

/// Gives the engine its memory back; whether it had one.
fn restore(engine: &mut Engine, state_dir: &std::path::Path) -> bool {
    let bytes = match load_snapshot(state_dir) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return false,
        Err(error) => {
            warn!(
                "cannot read what the engine knew from {}: {error}; it starts afresh",
                state_dir.display()
            );
            return false;
        }
    };
    match engine.restore(&bytes) {
        Ok(()) => {
            info!("the engine remembers what it knew at {}", engine.now());
            true
        }
        Err(error) => {
            warn!("{error}; the engine starts afresh");
            false
        }
    }
}

/// The view, also if a thread died while it held it: it is whole at every moment.
pub(super) fn lock(view: &Mutex<View>) -> MutexGuard<'_, View> {
    view.lock().unwrap_or_else(PoisonError::into_inner)
}
