//! The wrong passwords that came from one source lately.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::{Account, Timestamp};
use serde::{Deserialize, Serialize};

use super::super::Mark;
use super::{BRUTE, BRUTE_WITHIN};

/// A failure at a second controller this soon after is the same try.
const SECOND_CONTROLLER: Duration = Duration::from_secs(5);
/// Windows asks twice for one wrong password: failures this close together are one try of a person.
const SAME_TRY: Duration = Duration::from_secs(1);
/// So many failures within [`FAST_WITHIN`] are no person's, not even doubled.
const FAST: usize = 3;
const FAST_WITHIN: Duration = Duration::from_secs(2);
/// Stale passwords are retried no faster than this, and evenly.
const STALE_PACE: Duration = Duration::from_secs(10);

/// Failures of one source, oldest first, and what they sum up to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Source {
    pub(super) failures: VecDeque<(Account, Failure)>,
    pub(super) tries: BTreeMap<Account, Tries>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Tries {
    number: usize,
    last: Timestamp,
    server: IpAddr,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) mark: Mark,
    pub(super) code: i32,
}

impl Source {
    /// Adds a failure unless it is the same try at a second controller; returns whether it was.
    pub(super) fn add(&mut self, account: &Account, failure: Failure, server: IpAddr) -> bool {
        let now = failure.mark.now;
        let tries = self.tries.entry(account.clone()).or_insert(Tries {
            number: 0,
            last: now,
            server,
        });
        if tries.number > 0 && tries.server != server && now.since(tries.last) < SECOND_CONTROLLER {
            return false;
        }
        tries.number += 1;
        (tries.last, tries.server) = (now, server);
        self.failures.push_back((account.clone(), failure));
        true
    }

    /// The failures that make brute force of `account`, if there are enough.
    pub(super) fn brute(&self, account: &Account, now: Timestamp) -> Option<Vec<Failure>> {
        let enough = self.tries.get(account)?.number >= BRUTE && !account.is_machine();
        if !enough {
            return None;
        }
        let recent: Vec<_> = self
            .failures
            .iter()
            .filter(|(who, one)| who == account && one.mark.now + BRUTE_WITHIN > now)
            .map(|(_, one)| *one)
            .collect();
        let many = recent.len() >= BRUTE && (is_fast(&recent) || persons_tries(&recent) >= BRUTE);
        many.then_some(recent)
    }

    pub(super) fn forgive(&mut self, account: &Account) {
        if self.tries.remove(account).is_some() {
            self.failures.retain(|(who, _)| who != account);
        }
    }

    /// Forgets failures older than `age`. A sum, since a difference would end at the epoch, where
    /// captures without stamps happen.
    pub(super) fn forget_older(&mut self, age: Duration, now: Timestamp) {
        while self
            .failures
            .front()
            .is_some_and(|(_, one)| one.mark.now + age <= now)
        {
            self.forget_oldest();
        }
    }

    pub(super) fn forget_oldest(&mut self) {
        let Some((account, _)) = self.failures.pop_front() else {
            return;
        };
        if let Some(tries) = self.tries.get_mut(&account) {
            tries.number -= 1;
            if tries.number == 0 {
                self.tries.remove(&account);
            }
        }
    }
}

/// Whether failures ever came faster than a person's do.
fn is_fast(failures: &[Failure]) -> bool {
    failures
        .windows(FAST)
        .any(|some| some[FAST - 1].mark.now.since(some[0].mark.now) <= FAST_WITHIN)
}

/// How often a person typed, where each try may have failed twice at once.
fn persons_tries(failures: &[Failure]) -> usize {
    let mut last = None;
    let mut tries = 0;
    for failure in failures {
        if last.is_none_or(|last| failure.mark.now.since(last) > SAME_TRY) {
            tries += 1;
            last = Some(failure.mark.now);
        }
    }
    tries
}

/// Whether the failures come as evenly as those of a clock, and slowly.
pub(super) fn is_even(failures: &[Failure]) -> bool {
    let gaps = || {
        failures
            .windows(2)
            .map(|two| two[1].mark.now.since(two[0].mark.now))
    };
    match (gaps().min(), gaps().max()) {
        (Some(least), Some(most)) => least >= STALE_PACE && most - least <= least / 4,
        _ => false,
    }
}
