//! Packets dealt to workers in other threads, in batches.

use std::ops::Range;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use goshawk_decode::{Frame, LinkType};
use goshawk_model::Timestamp;

use super::deck::{Card, Deck};
use crate::capture::file::Captures;
use crate::capture::{Progress, Source};
use crate::pipeline::deal::{Deal, Place};

/// Packets of a batch, at the most.
const BATCH_PACKETS: usize = 512;
/// Bytes of a batch, about: handing one over costs more than copying a packet.
const BATCH_BYTES: usize = 256 << 10;
/// Batches that may wait for a worker.
const BATCHES_IN_FLIGHT: usize = 4;

/// Deals packets to workers.
pub(super) struct Dealer {
    hands: Vec<Dealing>,
    /// What it is by the packets dealt so far.
    second: Timestamp,
}

/// One worker, as the dealer sees it.
struct Dealing {
    sender: Sender<Batch>,
    batch: Batch,
    /// Batches that the worker is done with: their memory is warm.
    returned: Receiver<Batch>,
}

/// What one worker is dealt.
pub(super) struct Hand {
    dealt: Receiver<Batch>,
    done: Sender<Batch>,
}

#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    packets: Vec<Dealt>,
    watermark: Timestamp,
}

/// A packet of a batch.
struct Dealt {
    decoder: usize,
    time: Timestamp,
    origin: u64,
    link: LinkType,
    wire_len: u32,
    /// Where its bytes are.
    range: Range<usize>,
}

/// A dealer, and the hand of each worker.
pub(super) fn dealer(deal: Deal) -> (Dealer, Vec<Hand>) {
    let (dealings, hands) = (0..deal.workers())
        .map(|_| {
            let (sender, dealt) = bounded(BATCHES_IN_FLIGHT);
            let (done, returned) = bounded(BATCHES_IN_FLIGHT);
            let dealing = Dealing {
                sender,
                batch: Batch::default(),
                returned,
            };
            (dealing, Hand { dealt, done })
        })
        .unzip();
    let dealer = Dealer {
        hands: dealings,
        second: Timestamp::ZERO,
    };
    (dealer, hands)
}

impl Dealer {
    /// Deals until the captures end, and returns these.
    pub(super) fn deal(mut self, mut deck: Deck) -> Captures {
        while let Some(card) = deck.draw() {
            match card {
                Card::Second(time) => {
                    self.second = time;
                    self.flush_all();
                }
                Card::Packet(Place { worker, decoder }, frame) => {
                    let Some(dealing) = self.hands.get_mut(worker) else {
                        continue;
                    };
                    dealing.batch.add(decoder, &frame);
                    if dealing.batch.is_full() {
                        self.flush(worker);
                    }
                }
            }
        }
        self.flush_all();
        deck.into_captures()
    }

    fn flush_all(&mut self) {
        (0..self.hands.len()).for_each(|worker| self.flush(worker));
    }

    fn flush(&mut self, worker: usize) {
        let Some(dealing) = self.hands.get_mut(worker) else {
            return;
        };
        let fresh = dealing.returned.try_recv().unwrap_or_default();
        let mut full = std::mem::replace(&mut dealing.batch, fresh);
        full.watermark = self.second;
        // A worker that is gone has failed, and says so itself.
        let _ = dealing.sender.send(full);
    }
}

impl Batch {
    fn add(&mut self, decoder: usize, frame: &Frame<'_>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(frame.data);
        let range = start..self.bytes.len();
        self.packets.push(Dealt {
            decoder,
            time: frame.time,
            origin: frame.origin,
            link: frame.link,
            wire_len: frame.wire_len,
            range,
        });
    }

    fn is_full(&self) -> bool {
        self.packets.len() >= BATCH_PACKETS || self.bytes.len() >= BATCH_BYTES
    }
}

impl Source for Hand {
    fn poll(
        &mut self,
        _patience: Duration,
        sink: &mut dyn FnMut(usize, Frame<'_>),
    ) -> anyhow::Result<Progress> {
        let Ok(mut batch) = self.dealt.recv() else {
            return Ok(Progress::End);
        };
        for dealt in &batch.packets {
            let frame = Frame {
                time: dealt.time,
                origin: dealt.origin,
                link: dealt.link,
                wire_len: dealt.wire_len,
                data: batch.bytes.get(dealt.range.clone()).unwrap_or_default(),
            };
            sink(dealt.decoder, frame);
        }
        let watermark = batch.watermark;
        batch.bytes.clear();
        batch.packets.clear();
        // The dealer may be gone, or have enough of them.
        let _ = self.done.try_send(batch);
        Ok(Progress::Upto(watermark))
    }
}
