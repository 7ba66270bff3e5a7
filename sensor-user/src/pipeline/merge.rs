//! One order out of many workers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use goshawk_decode::Decoded;
use goshawk_model::{Activity, Timestamp};

/// An activity's place among all: its time, its packet, and which of that packet's it is.
type Place = (Timestamp, u64, u32);

/// Activities waiting until no worker can produce an older one.
pub struct Merge {
    watermarks: Vec<Timestamp>,
    /// Their order; activities are large, so they are not moved about for it.
    order: BinaryHeap<Reverse<(Place, usize)>>,
    waiting: Vec<Option<Activity>>,
    /// Free places in `waiting`.
    free: Vec<usize>,
    released: Timestamp,
    late: u64,
}

impl Merge {
    /// For this many workers.
    pub fn new(workers: usize) -> Self {
        Self {
            watermarks: vec![Timestamp::ZERO; workers],
            order: BinaryHeap::new(),
            waiting: Vec::new(),
            free: Vec::new(),
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
            let place = (decoded.activity.time, decoded.origin, decoded.sub);
            let index = self.free.pop().unwrap_or_else(|| {
                self.waiting.push(None);
                self.waiting.len() - 1
            });
            self.waiting[index] = Some(decoded.activity);
            self.order.push(Reverse((place, index)));
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
        let Reverse(((time, ..), index)) = *self.order.peek()?;
        if time >= upto && upto != Timestamp::MAX {
            return None;
        }
        self.order.pop();
        self.free.push(index);
        self.waiting[index].take()
    }

    /// Activities that came after younger ones had been released: a worker was held up for longer
    /// than the engine waits.
    pub fn late(&self) -> u64 {
        self.late
    }
}
