//! A worker: one source, its decoders, one thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::Sender;
use goshawk_decode::{Decoded, Decoder, Stats};
use goshawk_model::Timestamp;

use super::deal::Deal;
use super::{Counts, Report};
use crate::capture::{Progress, Source};

/// How long a worker waits for packets before it reports that there were none.
const PATIENCE: Duration = Duration::from_millis(20);
/// A worker that decoded nothing reports no more often than this, in packets' time.
const QUIET: Duration = Duration::from_millis(50);
/// How often, in packets' time, a report carries the counters.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// Decodes what one source delivers.
pub struct Worker {
    index: usize,
    source: Box<dyn Source>,
    decoders: Vec<Decoder>,
    reports: Sender<Report>,
    stop: Option<Arc<AtomicBool>>,
    /// The watermark last reported, and when counters went with one.
    reported: Timestamp,
    counted: Timestamp,
}

impl Worker {
    /// A worker numbered `index` that reads `source`, which delivers what `deal` deals to it.
    pub fn new(
        index: usize,
        source: Box<dyn Source>,
        sensor: &Arc<str>,
        deal: Deal,
        reports: Sender<Report>,
    ) -> Self {
        let decoders = (0..deal.decoders(index % deal.workers()))
            .map(|_| Decoder::new(Arc::clone(sensor), deal.limits()).with_tunnels(deal.tunnels()))
            .collect();
        let (reported, counted) = (Timestamp::ZERO, Timestamp::ZERO);
        Self {
            index,
            source,
            decoders,
            reports,
            stop: None,
            reported,
            counted,
        }
    }

    /// Ends once `stop` is set and what the source still holds is read; for sources without end.
    #[must_use]
    pub fn until(mut self, stop: Arc<AtomicBool>) -> Self {
        self.stop = Some(stop);
        self
    }

    /// Works until the source ends, it is told to stop, or nobody listens any more.
    ///
    /// # Errors
    /// What the source says when it fails for good.
    pub fn run(mut self) -> anyhow::Result<()> {
        let mut decoded = Vec::new();
        loop {
            let stop = self
                .stop
                .as_ref()
                .is_some_and(|stop| stop.load(Ordering::Acquire));
            let patience = if stop { Duration::ZERO } else { PATIENCE };
            let Self {
                source, decoders, ..
            } = &mut self;
            let mut packets = 0_usize;
            let progress = source.poll(patience, &mut |decoder, frame| {
                packets += 1;
                if let Some(decoder) = decoders.get_mut(decoder) {
                    decoder.frame(&frame, &mut decoded);
                }
            })?;
            let watermark = match progress {
                Progress::Upto(time) if !stop || packets > 0 => {
                    decoders
                        .iter_mut()
                        .for_each(|decoder| decoder.tick(time, &mut decoded));
                    time
                }
                Progress::Upto(_) | Progress::End => {
                    decoders
                        .iter_mut()
                        .for_each(|decoder| decoder.finish(&mut decoded));
                    Timestamp::MAX
                }
            };
            if !self.report(watermark, &mut decoded) || watermark == Timestamp::MAX {
                return Ok(());
            }
        }
    }

    /// Reports what there is to report; `false` when nobody listens.
    fn report(&mut self, watermark: Timestamp, decoded: &mut Vec<Decoded>) -> bool {
        let clock_step = self.source.take_clock_step();
        if decoded.is_empty() && clock_step.is_none() && watermark.since(self.reported) < QUIET {
            return true;
        }
        self.reported = watermark;
        let count = watermark == Timestamp::MAX || watermark.since(self.counted) >= COUNT_EVERY;
        let counts = count.then(|| {
            self.counted = watermark;
            let mut decoders = Stats::default();
            self.decoders
                .iter()
                .for_each(|decoder| decoders.merge(decoder.stats()));
            Box::new(Counts {
                decoders,
                source: self.source.losses(),
            })
        });
        let decoded = std::mem::take(decoded);
        let report = Report {
            worker: self.index,
            watermark,
            decoded,
            clock_step,
            counts,
        };
        self.reports.send(report).is_ok()
    }
}
