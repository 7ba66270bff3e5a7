//! The engine: takes inputs in the order of their time, and tells what it found.

use std::collections::BTreeMap;
use std::time::Duration;

use goshawk_model::{Activity, Alert, Coverage, Gap, Timestamp};

use crate::campaign::CampaignStats;
use crate::clock::Placed;
use crate::description::Description;
use crate::detections::{CATALOGUE, Run};
use crate::scene::Scene;
use crate::settings::Settings;
use crate::snapshot::{self, RestoreError, State};
use crate::table::TableStats;

/// Windows are looked after when the clock has advanced by this much.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Something for the engine to know.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all inputs are activities, made and consumed one at a time"
)]
pub enum Input {
    /// Somebody did something.
    Activity(Activity),
    /// For a while, activities may have been missed.
    Gap(Gap),
    /// A controller's traffic is seen from a moment on.
    Coverage(Coverage),
    /// Time passes, also in silence.
    Tick(Timestamp),
}

/// Something that the engine tells. The alert with the highest revision is the truth.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A campaign was found; revision 1.
    Raised(Alert),
    /// More is known of it.
    Updated(Alert),
    /// It is over; the revision is higher than before only if something changed since.
    Closed(Alert),
}

impl Output {
    /// The alert in its present state.
    pub const fn alert(&self) -> &Alert {
        match self {
            Self::Raised(alert) | Self::Updated(alert) | Self::Closed(alert) => alert,
        }
    }
}

/// Finds attacks in activities.
///
/// The same inputs give the same outputs. Memory is bounded by constants and
/// [`Limits`](crate::Limits), whatever comes in.
pub struct Engine {
    settings: Settings,
    state: State,
}

/// What an engine holds and what it had to let go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Activities observed.
    pub activities: u64,
    /// Activities whose time no other confirmed.
    pub disbelieved_times: u64,
    /// Every bounded table.
    pub tables: BTreeMap<&'static str, TableStats>,
    /// Campaigns open, per detection.
    pub open: BTreeMap<u16, usize>,
    /// What became of findings, per detection.
    pub campaigns: BTreeMap<u16, CampaignStats>,
}

impl Engine {
    /// An engine that has seen nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            state: State::default(),
        }
    }

    /// Takes the next input; inputs come in the order of their time.
    pub fn observe(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        match input {
            Input::Activity(activity) => {
                self.state.activities += 1;
                match self.state.clock.follow(activity.time) {
                    Some(before) => {
                        self.take(&before, &mut out);
                        self.look(&activity, activity.time, &mut out);
                    }
                    None => {
                        let full = self.state.clock.hold(activity);
                        self.take(full.as_slice(), &mut out);
                    }
                }
            }
            Input::Tick(stamp) => {
                let placed = self.state.clock.tick(stamp);
                self.take(&placed, &mut out);
            }
            Input::Gap(gap) => self.state.knowledge.watch.gap(gap),
            Input::Coverage(coverage) => {
                let now = self.state.clock.now();
                self.state.knowledge.watch.cover(coverage, now);
            }
        }
        out
    }

    /// Nothing more will come: windows close, and open campaigns are told in their final state.
    pub fn finish(&mut self) -> Vec<Output> {
        let mut out = Vec::new();
        let placed = self.state.clock.finish();
        self.take(&placed, &mut out);
        self.each(
            |detection, scene, out| detection.finish(scene, out),
            &mut out,
        );
        out
    }

    /// Everything the engine knows and works on, to be restored after a restart.
    pub fn snapshot(&self) -> Vec<u8> {
        snapshot::write(&self.state)
    }

    /// Takes up what [`snapshot`](Self::snapshot) wrote, in this or an older version.
    ///
    /// # Errors
    ///
    /// The bytes are damaged, no snapshot, or of a later version; the engine is unchanged then.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), RestoreError> {
        self.state = snapshot::read(bytes)?;
        Ok(())
    }

    /// Replaces the settings; what is open and known stays.
    pub fn reload(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// The engine's time: that of the latest input it believes.
    pub fn now(&self) -> Timestamp {
        self.state.clock.now()
    }

    /// Baselines still being learned: the detection's title, and until when.
    pub fn learning(&self) -> Vec<(String, Timestamp)> {
        let (now, began) = (self.state.clock.now(), self.state.clock.began());
        CATALOGUE
            .iter()
            .filter(|_| self.settings.learning.enabled)
            .filter_map(|one| Some((one.title.to_owned(), began + one.learning?)))
            .filter(|(_, until)| *until > now)
            .collect()
    }

    /// How full everything is, and what was let go.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats {
            activities: self.state.activities,
            disbelieved_times: self.state.clock.disbelieved(),
            ..Stats::default()
        };
        self.state.knowledge.tables(&mut stats.tables);
        for detection in self.state.detections.all() {
            let (id, open, campaigns) = detection.stats(&mut stats.tables);
            stats.open.insert(id, open);
            stats.campaigns.insert(id, campaigns);
        }
        stats
    }

    /// Every detection's description of itself, by number.
    pub const fn catalogue() -> &'static [Description] {
        CATALOGUE
    }

    /// The clock was followed: closes windows it has passed, then looks at what has its place now.
    fn take(&mut self, placed: &[Placed], out: &mut Vec<Output>) {
        self.sweep(out);
        for Placed { activity, at } in placed {
            self.look(activity, *at, out);
        }
    }

    fn look(&mut self, activity: &Activity, at: Timestamp, out: &mut Vec<Output>) {
        let now = self.state.clock.now();
        let repeated = self.state.knowledge.learn(activity, now, &self.settings);
        let told = out.len();
        let (scene, detections) = self.scene(at, repeated);
        detections.observe(activity, &scene, out);
        let told = out.get(told..).unwrap_or_default();
        self.state.knowledge.suspects.learn(told, now);
    }

    /// Lets windows close that the clock has passed.
    fn sweep(&mut self, out: &mut Vec<Output>) {
        let now = self.state.clock.now();
        if self.state.swept + SWEEP_EVERY > now {
            return;
        }
        self.state.swept = now;
        self.state.knowledge.expire(now, &self.settings);
        self.each(|detection, scene, out| detection.tick(scene, out), out);
    }

    /// Takes a step with every detection; what one tells, the next ones know.
    fn each(
        &mut self,
        step: fn(&mut dyn Run, &Scene<'_>, &mut Vec<Output>),
        out: &mut Vec<Output>,
    ) {
        let State {
            clock,
            knowledge,
            detections,
            ..
        } = &mut self.state;
        for detection in detections.each() {
            let scene = Scene {
                now: clock.now(),
                began: clock.began(),
                at: clock.now(),
                repeated: false,
                knowledge,
                settings: &self.settings,
            };
            let told = out.len();
            step(detection, &scene, out);
            let told = out.get(told..).unwrap_or_default();
            knowledge.suspects.learn(told, clock.now());
        }
    }

    fn scene(
        &mut self,
        at: Timestamp,
        repeated: bool,
    ) -> (Scene<'_>, &mut crate::detections::Detections) {
        let State {
            clock,
            knowledge,
            detections,
            ..
        } = &mut self.state;
        let scene = Scene {
            now: clock.now(),
            began: clock.began(),
            at,
            repeated,
            knowledge,
            settings: &self.settings,
        };
        (scene, detections)
    }
}
