//! Which worker, and which of its decoders, a packet belongs to.

use goshawk_decode::{Limits, Sharder, Tunnels};

/// A fixed number of decoders dealt to workers.
///
/// A packet's decoder depends on its addresses alone, never on the number of workers; so what is
/// decoded, and what a bounded table forgets, is the same for one worker and for many.
#[derive(Clone, Copy, Debug)]
pub struct Deal {
    shards: u32,
    workers: u32,
    tunnels: Tunnels,
}

/// Where a packet belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The worker.
    pub worker: usize,
    /// Which of its decoders.
    pub decoder: usize,
}

impl Deal {
    /// Decoders in a replay.
    const SHARDS: u32 = 16;

    /// Where one worker has one decoder, since the kernel has dealt the packets.
    pub fn live(tunnels: Tunnels) -> Self {
        Self {
            shards: 1,
            workers: 1,
            tunnels,
        }
    }

    /// For a replay with this many workers; more than there are decoders would idle.
    pub fn replay(workers: usize, tunnels: Tunnels) -> Self {
        let workers = u32::try_from(workers)
            .unwrap_or(u32::MAX)
            .clamp(1, Self::SHARDS);
        Self {
            shards: Self::SHARDS,
            workers,
            tunnels,
        }
    }

    /// How many workers there are.
    pub fn workers(self) -> usize {
        self.workers as usize
    }

    /// How many decoders `worker` has.
    pub fn decoders(self, worker: usize) -> usize {
        (0..self.shards as usize)
            .filter(|shard| shard % self.workers() == worker)
            .count()
    }

    /// What each decoder may remember. Sixteen of them share what four workers have when live, so
    /// that a flood in a capture costs no more memory than one on the wire.
    pub fn limits(self) -> Limits {
        let whole = Limits::default();
        if self.shards == 1 {
            return whole;
        }
        Limits {
            max_conversations: whole.max_conversations / 4,
            max_datagram_flows: whole.max_datagram_flows / 4,
            max_strangers: whole.max_strangers / 4,
            max_buffered: whole.max_buffered / 4,
            max_copies: whole.max_copies / 4,
            max_datagrams: whole.max_datagrams / 4,
            max_fragment_bytes: whole.max_fragment_bytes / 4,
            max_mapped_endpoints: whole.max_mapped_endpoints / 4,
            max_keys: whole.max_keys / 4,
            max_sightings: whole.max_sightings / 4,
            ..whole
        }
    }

    /// Whether decoders look into tunnels.
    pub fn tunnels(self) -> Tunnels {
        self.tunnels
    }

    /// Says which of all decoders a packet belongs to.
    pub fn sharder(self) -> Sharder {
        Sharder::new(self.shards, self.tunnels)
    }

    /// Where that decoder is.
    pub fn place(self, shard: u32) -> Place {
        Place {
            worker: (shard % self.workers) as usize,
            decoder: (shard / self.workers) as usize,
        }
    }
}
