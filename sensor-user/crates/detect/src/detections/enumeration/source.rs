//! The names that one asker tried lately.

use std::collections::BTreeMap;
use std::time::Duration;

use goshawk_model::Account;
use serde::{Deserialize, Serialize};

use super::{Asked, TOGETHER};
use crate::scene::Scene;

/// Names remembered per asker, known and unknown each. Fewer than these are ever undecided: an asker
/// with more unknown ones is no busy host any more.
const NAMES: usize = 64;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Source {
    /// Names that do not exist. By name alone: with and without realm it is one guess.
    unknown: BTreeMap<Box<str>, Asked>,
    /// Names that exist and whose owner has not logged on yet.
    known: BTreeMap<Account, Asked>,
}

impl Source {
    pub(super) fn unknown(&mut self, asked: Asked, scene: &Scene<'_>) {
        self.forget(scene);
        if self.unknown.len() < NAMES {
            let name = asked.account.name().into();
            self.unknown.entry(name).or_insert(asked);
        }
    }

    pub(super) fn known(&mut self, asked: Asked, scene: &Scene<'_>) {
        self.forget(scene);
        if self.known.len() < NAMES {
            let account = asked.account.clone();
            self.known.entry(account).or_insert(asked);
        }
    }

    pub(super) fn logged_on(&mut self, account: &Account) {
        self.known.remove(account);
    }

    /// Unknown names, and unknown SIDs and RIDs.
    pub(super) fn unknown_counts(&self) -> (usize, usize) {
        let is_number = |asked: &&Asked| asked.answer.is_of_number();
        let numbers = self.unknown.values().filter(is_number).count();
        (self.unknown.len() - numbers, numbers)
    }

    pub(super) fn total(&self) -> usize {
        self.unknown.len() + self.known.len()
    }

    /// Takes out the names that do not exist, in time.
    pub(super) fn take_unknown(&mut self) -> Vec<Asked> {
        let unknown = std::mem::take(&mut self.unknown);
        let mut in_time: Vec<_> = unknown.into_values().collect();
        in_time.sort_by_key(|asked| (asked.mark.at, asked.mark.activity));
        in_time
    }

    /// Takes out the names that exist, of those who had time to log on.
    pub(super) fn take_known(&mut self, grace: Duration, scene: &Scene<'_>) -> Vec<Asked> {
        let is_due = |asked: &Asked| asked.mark.now + grace <= scene.now;
        let due = self.known.extract_if(.., |_, asked| is_due(asked));
        due.map(|(_, asked)| asked).collect()
    }

    fn forget(&mut self, scene: &Scene<'_>) {
        let fresh = |asked: &Asked| asked.mark.now + TOGETHER > scene.now;
        self.unknown.retain(|_, asked| fresh(asked));
        self.known.retain(|_, asked| fresh(asked));
    }
}
