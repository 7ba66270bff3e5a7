//! A worker: one source, its decoders, one thread.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::Sender;
use goshawk_decode::{Decoded, Decoder, Stats};
use goshawk_model::Timestamp;

use super::deal::Deal;
use super::{Counts, Report};
use crate::capture::{Progress, Source};
use crate::keytab::Keys;

/// How long a worker waits for packets before it reports that there were none.
const PATIENCE: Duration = Duration::from_millis(20);
/// A worker that decoded nothing reports no more often than this, in packets' time.
const QUIET: Duration = Duration::from_millis(50);
/// How often, in packets' time, a report carries the counters.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// Decodes what one source delivers.
pub struct Worker<S> {
    index: usize,
    source: S,
    decoders: Vec<Decoder>,
    keys: Option<Keys>,
    stop: Option<Arc<AtomicBool>>,
    /// Hears what the decoders need no more.
    shunts: Option<Sender<[SocketAddr; 2]>>,
    /// The time that the decoders were told last; a clock set back takes it along.
    ticked: Timestamp,
    decoded: Vec<Decoded>,
    /// The watermark last reported, and when counters went with one.
    reported: Timestamp,
    counted: Timestamp,
}

impl<S: Source> Worker<S> {
    /// A worker numbered `index` that reads `source`, which delivers what `deal` deals to it.
    pub fn new(index: usize, source: S, sensor: &Arc<str>, deal: Deal) -> Self {
        let decoders = (0..deal.decoders(index % deal.workers()))
            .map(|_| Decoder::new(Arc::clone(sensor), deal.limits()).with_tunnels(deal.tunnels()))
            .collect();
        Self {
            index,
            source,
            decoders,
            keys: None,
            stop: None,
            shunts: None,
            ticked: Timestamp::ZERO,
            decoded: Vec::new(),
            reported: Timestamp::ZERO,
            counted: Timestamp::ZERO,
        }
    }

    /// Opens tickets with `keys`, those that there are at any time.
    #[must_use]
    pub fn with_keys(mut self, mut keys: Keys) -> Self {
        keys.mark_changed();
        self.keys = Some(keys);
        self
    }

    /// Ends once `stop` is set and what the source still holds is read; for sources without end.
    #[must_use]
    pub fn until(mut self, stop: Arc<AtomicBool>) -> Self {
        self.stop = Some(stop);
        self
    }

    /// Also says which connections its decoders need no more. What finds no room in the channel is
    /// said again, if packets still come.
    #[must_use]
    pub fn shunting(mut self, shunts: Sender<[SocketAddr; 2]>) -> Self {
        let decoders = self.decoders.into_iter();
        self.decoders = decoders.map(Decoder::with_shunts).collect();
        self.shunts = Some(shunts);
        self
    }

    /// Works until the source ends, it is told to stop, or nobody listens any more.
    ///
    /// # Errors
    /// What the source says when it fails for good.
    pub fn run(mut self, reports: &Sender<Report>) -> anyhow::Result<()> {
        while let Some(report) = self.report()? {
            if reports.send(report).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Works until there is something to report; `None` once all is reported.
    ///
    /// # Errors
    /// What the source says when it fails for good.
    pub fn report(&mut self) -> anyhow::Result<Option<Report>> {
        while self.reported < Timestamp::MAX {
            let watermark = self.work()?;
            let clock_step = self.source.take_clock_step();
            let is_quiet = self.decoded.is_empty() && clock_step.is_none();
            if is_quiet && watermark.since(self.reported) < QUIET {
                continue;
            }
            self.reported = watermark;
            // The next report will be about as long.
            let next = Vec::with_capacity(self.decoded.len());
            return Ok(Some(Report {
                worker: self.index,
                watermark,
                decoded: std::mem::replace(&mut self.decoded, next),
                clock_step,
                counts: self.counts(watermark),
            }));
        }
        Ok(None)
    }

    /// The source, when all is reported.
    pub fn into_source(self) -> S {
        self.source
    }

    /// Takes over the keytab, where it has been read anew.
    fn take_keys(&mut self) {
        // Without a sender left, what was read last stays.
        if let Some(keys) = &mut self.keys
            && keys.has_changed().unwrap_or(false)
        {
            let keytab = keys.borrow_and_update().clone();
            for decoder in &mut self.decoders {
                decoder.set_keytab(keytab.clone());
            }
        }
    }

    /// Decodes what the source has ready; returns how far it has come.
    fn work(&mut self) -> anyhow::Result<Timestamp> {
        self.take_keys();
        let Self {
            source,
            decoders,
            decoded,
            shunts,
            ..
        } = self;
        let stop = self
            .stop
            .as_ref()
            .is_some_and(|stop| stop.load(Ordering::Acquire));
        let patience = if stop { Duration::ZERO } else { PATIENCE };
        let mut packets = 0_usize;
        let progress = source.poll(patience, &mut |decoder, frame| {
            packets += 1;
            if let Some(decoder) = decoders.get_mut(decoder) {
                decoder.frame(&frame, decoded);
            }
        })?;
        if let Some(shunts) = shunts {
            for decoder in &mut *decoders {
                for ends in decoder.take_shunts() {
                    let _ = shunts.try_send(ends);
                }
            }
        }
        match progress {
            Progress::Upto(time) if !stop || packets > 0 => {
                if time != self.ticked {
                    self.ticked = time;
                    for decoder in decoders {
                        decoder.tick(time, decoded);
                    }
                }
                Ok(time)
            }
            Progress::Upto(_) | Progress::End => {
                for decoder in decoders {
                    decoder.finish(decoded);
                }
                Ok(Timestamp::MAX)
            }
        }
    }

    /// What was counted, if it is time to tell.
    fn counts(&mut self, watermark: Timestamp) -> Option<Box<Counts>> {
        if watermark < Timestamp::MAX && watermark.since(self.counted) < COUNT_EVERY {
            return None;
        }
        self.counted = watermark;
        let mut decoders = Stats::default();
        self.decoders
            .iter()
            .for_each(|decoder| decoders.merge(decoder.stats()));
        Some(Box::new(Counts {
            decoders,
            source: self.source.losses(),
        }))
    }
}
