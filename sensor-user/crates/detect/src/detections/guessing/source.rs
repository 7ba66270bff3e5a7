//! The wrong passwords that came from one source lately.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::{Account, Timestamp};
use serde::{Deserialize, Serialize};

use super::super::Mark;
use super::attempt::Refusal;
use super::{BRUTE, BRUTE_WITHIN, ROUNDS_APART, SLOW_SPRAY_WITHIN, SPRAY, SPRAY_WITHIN};
use crate::scene::Scene;

/// A failure at a second controller this soon after is the same try.
const SECOND_CONTROLLER: Duration = Duration::from_secs(5);
/// Windows asks twice for one wrong password: failures this close together are one try of a person.
const SAME_TRY: Duration = Duration::from_secs(1);
/// [`BRUTE`] failures within this time are no person's, and no service's that waits between tries.
const FAST_WITHIN: Duration = Duration::from_secs(8);
/// [`SPRAY`] accounts that fail within this time are not people's at their keyboards.
const HURRIED_WITHIN: Duration = Duration::from_secs(10);
/// Accounts remembered per source; more than make a spray on the busiest of hosts.
const ACCOUNTS: usize = 64;
/// Failures remembered per account: three rounds below the threshold that ends in a brute force.
const FAILURES: usize = 24;

/// Failures of one source, by account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Source {
    tried: BTreeMap<Account, Tries>,
}

/// Failures of one account, oldest first; there is at least one.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Tries {
    failures: VecDeque<Failure>,
    server: IpAddr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) mark: Mark,
    pub(super) refusal: Refusal,
}

impl Source {
    /// Adds a failure; `None` if it is the same try at a second controller, else how many others
    /// were forgotten for it.
    pub(super) fn add(
        &mut self,
        account: &Account,
        failure: Failure,
        server: IpAddr,
    ) -> Option<u64> {
        let now = failure.mark.now;
        let mut forgotten = 0;
        if let Some(tries) = self.tried.get_mut(account) {
            if tries.server != server && now.since(tries.last()) < SECOND_CONTROLLER {
                return None;
            }
            if tries.failures.len() >= FAILURES {
                tries.failures.pop_front();
                forgotten = 1;
            }
            tries.failures.push_back(failure);
            tries.server = server;
            return Some(forgotten);
        }
        if self.tried.len() >= ACCOUNTS {
            let oldest = self.tried.iter().min_by_key(|(_, tries)| tries.last());
            if let Some(oldest) = oldest.map(|(account, _)| account.clone()) {
                forgotten = self.forgive(&oldest);
            }
        }
        let failures = VecDeque::from([failure]);
        self.tried
            .insert(account.clone(), Tries { failures, server });
        Some(forgotten)
    }

    /// Whether `account` has failed here.
    pub(super) fn has(&self, account: &Account) -> bool {
        self.tried.contains_key(account)
    }

    /// What is known of the latest failures of `account`.
    pub(super) fn series(&self, account: &Account, now: Timestamp) -> Option<Series> {
        let tries = self.tried.get(account)?;
        let recent: Vec<_> = tries
            .failures
            .iter()
            .filter(|one| one.mark.now + BRUTE_WITHIN > now)
            .copied()
            .collect();
        Some(Series {
            is_fast: is_fast(&recent),
            is_long: persons_tries(&recent) >= BRUTE,
            failures: recent,
        })
    }

    /// All remembered failures of `account`.
    pub(super) fn failures(&self, account: &Account) -> Vec<Failure> {
        let tries = self.tried.get(account).into_iter();
        tries.flat_map(|tries| &tries.failures).copied().collect()
    }

    /// How many rounds of tries of `account` ended one short of the `threshold` that locks it.
    pub(super) fn rounds(&self, account: &Account, threshold: u32, scene: &Scene<'_>) -> usize {
        let window = scene.settings.policy.lockout_window;
        let pause = window.unwrap_or(ROUNDS_APART);
        let full = threshold.saturating_sub(1) as usize;
        let Some(tries) = self.tried.get(account).filter(|_| full > 1) else {
            return 0;
        };
        let (mut rounds, mut size, mut last) = (0, 0, None::<Timestamp>);
        for failure in &tries.failures {
            if last.is_some_and(|last| failure.mark.now.since(last) >= pause) {
                rounds += usize::from(size == full);
                size = 0;
            }
            size += 1;
            last = Some(failure.mark.now);
        }
        rounds + usize::from(size == full)
    }

    /// Accounts that failed within [`SPRAY_WITHIN`] of the latest and had `grace` to log on since, or
    /// so many at once that they had not; and those that failed within [`SLOW_SPRAY_WITHIN`].
    pub(super) fn breadth(&self, grace: Duration, now: Timestamp) -> (usize, usize) {
        let latest = self.latest();
        let counts = |tries: &&Tries, within: Duration, grace: Duration| {
            let last = tries.last();
            last + within > latest && last + grace <= now && !tries.is_loop()
        };
        let number = |within, grace| {
            let tries = self.tried.values();
            tries.filter(|tries| counts(tries, within, grace)).count()
        };
        let hurried = number(HURRIED_WITHIN, Duration::ZERO) >= SPRAY;
        let fast = number(SPRAY_WITHIN, if hurried { Duration::ZERO } else { grace });
        (fast, number(SLOW_SPRAY_WITHIN, grace))
    }

    /// Accounts that failed within [`SLOW_SPRAY_WITHIN`] and never logged on from `ip`, as far as is known.
    pub(super) fn strangers(&self, ip: IpAddr, grace: Duration, scene: &Scene<'_>) -> usize {
        let latest = self.latest();
        let accounts = &scene.knowledge.accounts;
        let failed = self.tried.iter().filter(|(account, tries)| {
            let last = tries.last();
            let counts = last + SLOW_SPRAY_WITHIN > latest && last + grace <= scene.now;
            counts && !tries.is_loop() && !accounts.was_at(account, ip)
        });
        failed.count()
    }

    /// When the latest failure was.
    pub(super) fn latest(&self) -> Timestamp {
        let last = self.tried.values().map(Tries::last);
        last.max().unwrap_or_default()
    }

    /// Everything, in time.
    pub(super) fn all(self) -> Vec<(Account, Failure)> {
        let of = |(account, tries): (Account, Tries)| {
            let failures = tries.failures.into_iter();
            failures.map(move |one| (account.clone(), one))
        };
        let mut all: Vec<_> = self.tried.into_iter().flat_map(of).collect();
        all.sort_by_key(|(_, one)| (one.mark.now, one.mark.activity));
        all
    }

    /// Forgets the failures of `account`; returns how many they were.
    pub(super) fn forgive(&mut self, account: &Account) -> u64 {
        let tries = self.tried.remove(account);
        tries.map_or(0, |tries| tries.failures.len() as u64)
    }

    /// Forgets accounts that have not failed for `age`. A sum, since a difference would end at the
    /// epoch, where captures without stamps happen.
    pub(super) fn forget_older(&mut self, age: Duration, now: Timestamp) {
        self.tried.retain(|_, tries| tries.last() + age > now);
    }
}

impl Tries {
    fn last(&self) -> Timestamp {
        self.failures
            .back()
            .map_or_else(Timestamp::default, |one| one.mark.now)
    }

    /// Whether one password is tried again and again, as a service does that keeps an old one.
    fn is_loop(&self) -> bool {
        let failures: Vec<_> = self.failures.iter().copied().collect();
        persons_tries(&failures) >= BRUTE && !is_fast(&failures)
    }
}

/// The latest failures of one account.
pub(super) struct Series {
    pub(super) failures: Vec<Failure>,
    /// Faster than any person, or any service that waits between its tries.
    pub(super) is_fast: bool,
    /// More than a person tries.
    pub(super) is_long: bool,
}

/// Whether failures ever came faster than a person's do.
fn is_fast(failures: &[Failure]) -> bool {
    failures
        .windows(BRUTE)
        .any(|some| some[BRUTE - 1].mark.now.since(some[0].mark.now) <= FAST_WITHIN)
}

/// How often a person typed, where each try may have failed several times at once.
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
