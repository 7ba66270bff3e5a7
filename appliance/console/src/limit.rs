//! How often a stranger may try (passwords per user and address, enrollments per address), and
//! how often it is worth a line in the log.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Keys remembered at once; the one that has been quiet longest makes room.
pub const MAX_KEYS: usize = 4096;

/// Counts failures per key: some are free, then each costs a wait that doubles.
#[derive(Debug)]
pub struct Throttle<K> {
    free: u32,
    first_wait: Duration,
    longest_wait: Duration,
    failures: HashMap<K, Failures>,
}

#[derive(Debug)]
struct Failures {
    count: u32,
    last: Instant,
}

impl<K: Hash + Eq + Clone> Throttle<K> {
    /// `free` failures cost nothing; the next ones `first_wait`, twice that, up to
    /// `longest_wait`. A key that is quiet for twice its wait is forgotten.
    pub fn new(free: u32, first_wait: Duration, longest_wait: Duration) -> Self {
        Self {
            free,
            first_wait,
            longest_wait,
            failures: HashMap::new(),
        }
    }

    /// How long `key` must wait before it may try again; `None` if it may try now.
    pub fn wait(&self, key: &K, now: Instant) -> Option<Duration> {
        let failures = self.failures.get(key)?;
        let wait = self.cost(failures.count);
        let passed = now.saturating_duration_since(failures.last);
        wait.checked_sub(passed).filter(|left| !left.is_zero())
    }

    /// Counts a failure of `key`.
    pub fn failed(&mut self, key: K, now: Instant) {
        let forget = self.longest_wait * 2;
        if self.failures.len() >= MAX_KEYS && !self.failures.contains_key(&key) {
            self.failures
                .retain(|_, failures| now.saturating_duration_since(failures.last) < forget);
            if self.failures.len() >= MAX_KEYS
                && let Some(oldest) = self
                    .failures
                    .iter()
                    .min_by_key(|(_, failures)| failures.last)
                    .map(|(key, _)| key.clone())
            {
                self.failures.remove(&oldest);
            }
        }
        let failures = self.failures.entry(key).or_insert(Failures {
            count: 0,
            last: now,
        });
        if now.saturating_duration_since(failures.last) >= forget {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }

    /// Forgets the failures of `key`, which has shown that it belongs here.
    pub fn succeeded(&mut self, key: &K) {
        self.failures.remove(key);
    }

    fn cost(&self, count: u32) -> Duration {
        let Some(doublings) = count.checked_sub(self.free.max(1)) else {
            return Duration::ZERO;
        };
        if count < self.free {
            return Duration::ZERO;
        }
        self.first_wait
            .saturating_mul(1 << doublings.min(16))
            .min(self.longest_wait)
    }
}

/// Lets a line that a stranger can cause into the log at most once in [`Seldom::EVERY`].
#[derive(Debug, Default)]
pub struct Seldom {
    last: Option<Instant>,
    kept_back: u64,
}

impl Seldom {
    /// The time between two lines.
    pub const EVERY: Duration = Duration::from_secs(10);

    /// Whether to say it now, and then how many times it was not said since.
    pub fn say(&mut self, now: Instant) -> Option<u64> {
        let due = self
            .last
            .is_none_or(|last| now.saturating_duration_since(last) >= Self::EVERY);
        if due {
            self.last = Some(now);
            Some(std::mem::take(&mut self.kept_back))
        } else {
            self.kept_back = self.kept_back.saturating_add(1);
            None
        }
    }
}

/// The address as a key: an IPv6 host owns its whole /64, so that is what is counted.
pub fn origin(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let mut segments = address.segments();
            segments[4..].fill(0);
            IpAddr::from(segments)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_double_up_to_the_longest_and_end_with_success() {
        let mut throttle = Throttle::new(3, SECOND, SECOND * 5);
        let start = Instant::now();
        for wait in [None, None, Some(1), Some(2), Some(4), Some(5), Some(5)] {
            throttle.failed("alice", start);
            assert_eq!(
                throttle.wait(&"alice", start),
                wait.map(Duration::from_secs)
            );
        }
        assert_eq!(throttle.wait(&"bob", start), None);
        assert_eq!(throttle.wait(&"alice", start + SECOND * 5), None);
        throttle.succeeded(&"alice");
        assert_eq!(throttle.wait(&"alice", start), None);
    }

    #[test]
    fn a_long_silence_is_a_new_beginning() {
        let mut throttle = Throttle::new(1, SECOND, SECOND * 5);
        let start = Instant::now();
        for _ in 0..5 {
            throttle.failed("alice", start);
        }
        let later = start + SECOND * 10;
        throttle.failed("alice", later);
        assert_eq!(throttle.wait(&"alice", later), Some(SECOND));
    }

    #[test]
    fn the_table_is_bounded_and_the_quietest_leaves() {
        let mut throttle = Throttle::new(1, SECOND, SECOND * 5);
        let start = Instant::now();
        for key in 0..=MAX_KEYS {
            throttle.failed(key, start + Duration::from_nanos(key as u64));
        }
        assert_eq!(throttle.failures.len(), MAX_KEYS);
        assert!(!throttle.failures.contains_key(&0));
        assert!(throttle.failures.contains_key(&MAX_KEYS));
    }

    #[test]
    fn a_flood_is_one_line_and_a_number() {
        let mut seldom = Seldom::default();
        let start = Instant::now();
        assert_eq!(seldom.say(start), Some(0));
        for _ in 0..1000 {
            assert_eq!(seldom.say(start + SECOND), None);
        }
        assert_eq!(seldom.say(start + Seldom::EVERY), Some(1000));
        assert_eq!(seldom.say(start + Seldom::EVERY * 2), Some(0));
    }

    #[test]
    fn an_ipv6_neighbourhood_is_one_origin() {
        let parse = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(
            origin(parse("2001:db8::1")),
            origin(parse("2001:db8::ffff:1"))
        );
        assert_eq!(origin(parse("::ffff:192.0.2.1")), parse("192.0.2.1"));
        assert_ne!(origin(parse("192.0.2.1")), origin(parse("192.0.2.2")));
    }
}
