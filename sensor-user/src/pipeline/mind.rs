//! The thread that thinks: reports in, alerts out.

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use goshawk_detect::{Engine, Input, Output};
use goshawk_model::{Activity, Gap, GapReason, Timestamp};

use super::merge::Merge;
use super::{Counts, Report};

/// How often the engine hears the time, in packets' time.
const TICK: Duration = Duration::from_secs(1);
/// How long the engine waits for a worker that is behind, when live (design contract).
pub const HOLD_BACK: Duration = Duration::from_millis(200);

/// The engine, what feeds it, and who listens.
pub struct Mind<L> {
    engine: Engine,
    merge: Merge,
    counts: Vec<Counts>,
    ticked: Timestamp,
    activities: u64,
    listener: L,
}

/// Who hears what the engine finds.
pub trait Listener {
    /// An activity passes, before the engine sees it.
    fn activity(&mut self, activity: &Activity);
    /// The engine found something.
    fn output(&mut self, output: Output);
}

impl<L: Listener> Mind<L> {
    /// An engine fed by this many workers.
    pub fn new(engine: Engine, workers: usize, listener: L) -> Self {
        Self {
            engine,
            merge: Merge::new(workers),
            counts: vec![Counts::default(); workers],
            ticked: Timestamp::ZERO,
            activities: 0,
            listener,
        }
    }

    /// Thinks about all that is reported until there is no more, as a replay does; returns the
    /// workers' counters and the listener.
    pub fn run_to_end(mut self, reports: impl IntoIterator<Item = Report>) -> (Counts, L) {
        for report in reports {
            self.take(report);
            self.release(self.merge.watermark());
        }
        self.release(Timestamp::MAX);
        for output in self.engine.finish() {
            self.listener.output(output);
        }
        (self.counts(), self.listener)
    }

    /// Takes what has been reported, waiting up to `patience` for it, and thinks about what is
    /// old enough at `now`. `false` once no worker is left.
    pub fn step(&mut self, reports: &Receiver<Report>, patience: Duration, now: Timestamp) -> bool {
        let alive = match reports.recv_timeout(patience) {
            Ok(report) => {
                self.take(report);
                while let Ok(report) = reports.try_recv() {
                    self.take(report);
                }
                true
            }
            Err(RecvTimeoutError::Timeout) => true,
            Err(RecvTimeoutError::Disconnected) => false,
        };
        let upto = match self.merge.watermark() {
            Timestamp::MAX => now,
            watermark => watermark.max(now - HOLD_BACK),
        };
        self.release(upto);
        alive
    }

    /// Tells the engine something that is no activity: a gap, or what is covered.
    pub fn tell(&mut self, input: Input) {
        for output in self.engine.observe(input) {
            self.listener.output(output);
        }
    }

    /// Thinks about everything that is left, when no worker will report any more.
    pub fn drain(&mut self, reports: &Receiver<Report>) {
        while let Ok(report) = reports.try_recv() {
            self.take(report);
        }
        while let Some(activity) = self.merge.pop(Timestamp::MAX) {
            self.think(activity);
        }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The engine, to be told something.
    pub fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// How far all workers have come.
    pub fn watermark(&self) -> Timestamp {
        self.merge.watermark()
    }

    /// Who listens.
    pub fn listener(&self) -> &L {
        &self.listener
    }

    /// Activities so far.
    pub fn activities(&self) -> u64 {
        self.activities
    }

    /// Activities that came too late to be in order.
    pub fn late(&self) -> u64 {
        self.merge.late()
    }

    /// What all workers and their sources counted.
    pub fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        self.counts.iter().for_each(|counts| sum.merge(counts));
        sum
    }

    fn take(&mut self, report: Report) {
        let Report {
            worker,
            watermark,
            decoded,
            clock_step,
            counts,
        } = report;
        if let (Some(counts), Some(own)) = (counts, self.counts.get_mut(worker)) {
            *own = *counts;
        }
        if let Some((was, became)) = clock_step {
            let (from, to) = (was.min(became), was.max(became));
            self.tell(Input::Gap(Gap {
                from,
                to,
                reason: GapReason::ClockStep,
            }));
            // After a step back, what comes now is not late.
            self.ticked = self.ticked.min(became);
        }
        self.merge.push(worker, watermark, decoded);
    }

    fn release(&mut self, upto: Timestamp) {
        while let Some(activity) = self.merge.pop(upto) {
            self.think(activity);
        }
        if upto < Timestamp::MAX && upto.since(self.ticked) >= TICK {
            self.ticked = upto;
            self.tell(Input::Tick(upto));
        }
    }

    fn think(&mut self, activity: Activity) {
        self.activities += 1;
        self.listener.activity(&activity);
        self.tell(Input::Activity(activity));
    }
}
