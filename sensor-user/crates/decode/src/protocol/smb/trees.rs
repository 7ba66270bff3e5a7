//! The shares that a connection is connected to.

use std::sync::Arc;

use goshawk_model::smb::{Share, ShareType};
use lru::LruCache;

use crate::stats::{Drop, Stats};

/// Trees by session and tree id: an id is a session's own ([MS-SMB2] 3.3.1.9).
#[derive(Debug)]
pub(crate) struct Trees {
    table: LruCache<(u64, u32), Arc<Share>>,
}

impl Default for Trees {
    fn default() -> Self {
        Self {
            table: LruCache::unbounded(),
        }
    }
}

impl Trees {
    /// The share behind an id.
    pub(crate) fn get(&mut self, session: u64, tree: u32) -> Option<&Arc<Share>> {
        self.table.get(&(session, tree))
    }

    /// Whether it offers pipes; `None` if that is not known.
    pub(crate) fn is_pipes(&mut self, session: u64, tree: u32) -> Option<bool> {
        let share_type = self.get(session, tree)?.share_type?;
        Some(share_type == ShareType::Pipe)
    }

    /// A share was connected to.
    pub(crate) fn insert(
        &mut self,
        (session, tree): (u64, u32),
        share: Share,
        room: usize,
        stats: &mut Stats,
    ) {
        self.table.put((session, tree), Arc::new(share));
        if self.table.len() > room && self.table.pop_lru().is_some() {
            stats.drop(Drop::SmbEvicted);
        }
    }

    /// A share was left; whether it was known.
    pub(crate) fn remove(&mut self, session: u64, tree: u32) -> bool {
        self.table.pop(&(session, tree)).is_some()
    }

    /// A session has ended, and all its trees with it.
    pub(crate) fn remove_session(&mut self, session: u64) {
        let of_session = |key: &&(u64, u32)| key.0 == session;
        let keys: Vec<_> = self
            .table
            .iter()
            .map(|(key, _)| key)
            .filter(of_session)
            .copied()
            .collect();
        for key in keys {
            self.table.pop(&key);
        }
    }
}
