//! The shares that a connection is connected to.

use std::sync::Arc;

use goshawk_model::smb::{Share, ShareType};

use super::recent::Recent;
use crate::stats::{Drop, Stats};

/// Trees by session and tree id: an id is a session's own ([MS-SMB2] 3.3.1.9).
#[derive(Debug, Default)]
pub(crate) struct Trees {
    table: Recent<(u64, u32), Arc<Share>>,
}

impl Trees {
    /// The share behind an id.
    pub(crate) fn get(&mut self, session: u64, tree: u32) -> Option<&Arc<Share>> {
        self.table.get((session, tree)).map(|share| &*share)
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
        self.table.insert((session, tree), Arc::new(share));
        if self.table.len() > room && self.table.pop_oldest().is_some() {
            stats.drop(Drop::SmbEvicted);
        }
    }

    /// A share was left; whether it was known.
    pub(crate) fn remove(&mut self, session: u64, tree: u32) -> bool {
        self.table.remove((session, tree)).is_some()
    }

    /// A session has ended, and all its trees with it.
    pub(crate) fn remove_session(&mut self, session: u64) {
        self.table.retain(|(of, _)| of != session);
    }
}
