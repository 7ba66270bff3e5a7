//! One order out of many workers.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use goshawk_decode::Decoded;
use goshawk_model::{Activity, Timestamp};

/// Activities waiting until no worker can produce an older one.
pub struct Merge {
    watermarks: Vec<Timestamp>,
    waiting: BinaryHeap<Reverse<InOrder>>,
    released: Timestamp,
    late: u64,
}

impl Merge {
    /// For this many workers.
    pub fn new(workers: usize) -> Self {
        Self {
            watermarks: vec![Timestamp::ZERO; workers],
            waiting: BinaryHeap::new(),
            released: Timestamp::ZERO,
            late: 0,
        }
    }

    /// Takes what `worker` decoded and how far it has come.
    pub fn push(&mut self, worker: usize, watermark: Timestamp, decoded: Vec<Decoded>) {
        if let Some(own) = self.watermarks.get_mut(worker) {
            *own = watermark.max(*own);
        }
        for decoded in decoded {
            self.late += u64::from(decoded.activity.time < self.released);
            self.waiting.push(Reverse(InOrder(decoded)));
        }
    }

    /// How far all workers have come.
    pub fn watermark(&self) -> Timestamp {
        self.watermarks
            .iter()
            .copied()
            .min()
            .unwrap_or(Timestamp::MAX)
    }

    /// The next activity older than `upto`, oldest first.
    pub fn pop(&mut self, upto: Timestamp) -> Option<Activity> {
        self.released = self.released.max(upto);
        if self.waiting.peek()?.0.0.activity.time >= upto && upto != Timestamp::MAX {
            return None;
        }
        self.waiting
            .pop()
            .map(|Reverse(InOrder(decoded))| decoded.activity)
    }

    /// Activities that came after younger ones had been released: a worker was held up for longer
    /// than the engine waits.
    pub fn late(&self) -> u64 {
        self.late
    }
}

struct InOrder(Decoded);

impl InOrder {
    fn key(&self) -> (Timestamp, u64, u32) {
        (self.0.activity.time, self.0.origin, self.0.sub)
    }
}

impl Ord for InOrder {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for InOrder {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for InOrder {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for InOrder {}
