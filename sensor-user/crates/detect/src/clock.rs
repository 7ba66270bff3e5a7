//! The engine's time: made from the stamps of packets, never running backwards.
//!
//! Windows close and tables expire by this clock. A single stamp that is far from all others (a
//! broken capture card, a packet with a forged timestamp option, a file cut together wrongly) must
//! expire nothing, so a leap needs two stamps of the same kind that agree. Until the second one
//! comes, what carries the first is held back: its true place in time is not known yet.

use std::collections::VecDeque;
use std::time::Duration;

use goshawk_model::{Activity, Timestamp};
use serde::{Deserialize, Serialize};

/// Stamps up to this far from the clock are believed at once.
const LEAP: Duration = Duration::from_secs(600);

/// Activities held back while a leap is in doubt; one packet may carry several.
const MAX_HELD: usize = 64;

/// What an activity's stamp means for the engine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Placed {
    /// The activity.
    pub(crate) activity: Activity,
    /// Its time, or the clock's if its stamp was not believed.
    pub(crate) at: Timestamp,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Clock {
    now: Timestamp,
    began: Option<Timestamp>,
    /// What stamps lack to the clock, nanoseconds: rises when time was set back.
    behind: u64,
    doubted_tick: Option<Timestamp>,
    doubted_activity: Option<Timestamp>,
    held: VecDeque<Activity>,
    /// Stamps that were not believed.
    disbelieved: u64,
}

impl Clock {
    /// The time by which windows close. It rises and never falls.
    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// When the first stamp came.
    pub(crate) fn began(&self) -> Timestamp {
        self.began.unwrap_or_default()
    }

    /// Activities whose stamps no other confirmed.
    pub(crate) const fn disbelieved(&self) -> u64 {
        self.disbelieved
    }

    /// Follows a tick; returns activities that were held back and have their place now.
    pub(crate) fn tick(&mut self, stamp: Timestamp) -> Vec<Placed> {
        match self.weigh(stamp, self.doubted_tick) {
            Weighed::Near => self.release(false),
            Weighed::Agreed => self.release(true),
            Weighed::Doubted => {
                self.doubted_tick = Some(stamp);
                Vec::new()
            }
        }
    }

    /// Follows an activity's stamp; returns what has its place before it, or nothing if the
    /// activity is to be [held](Self::hold).
    pub(crate) fn follow(&mut self, stamp: Timestamp) -> Option<Vec<Placed>> {
        match self.weigh(stamp, self.doubted_activity) {
            Weighed::Near => Some(self.release(false)),
            Weighed::Agreed => Some(self.release(true)),
            Weighed::Doubted => None,
        }
    }

    /// Holds an activity back until another stamp tells its place; returns one for which there is
    /// no room any more.
    pub(crate) fn hold(&mut self, activity: Activity) -> Option<Placed> {
        let full = if self.held.len() >= MAX_HELD {
            self.held.pop_front()
        } else {
            None
        };
        self.doubted_activity = Some(activity.time);
        self.held.push_back(activity);
        full.map(|one| self.disbelieve(one))
    }

    /// No stamp will come any more: what is held back keeps the time it carries.
    pub(crate) fn finish(&mut self) -> Vec<Placed> {
        self.release(true)
    }

    fn weigh(&mut self, stamp: Timestamp, doubted: Option<Timestamp>) -> Weighed {
        let local = Timestamp::from_nanos(stamp.as_nanos().saturating_add(self.behind));
        if self.began.is_none() {
            self.began = Some(local);
            self.now = local;
            return Weighed::Near;
        }
        if apart(local, self.now) <= LEAP {
            self.now = self.now.max(local);
            self.doubted_tick = None;
            self.doubted_activity = None;
            return Weighed::Near;
        }
        // Equal stamps are one packet's, not two that agree.
        if doubted.is_none_or(|other| other == stamp || apart(other, stamp) > LEAP) {
            return Weighed::Doubted;
        }
        if local > self.now {
            self.now = local;
        } else {
            self.behind = self.now.as_nanos().saturating_sub(stamp.as_nanos());
        }
        self.doubted_tick = None;
        self.doubted_activity = None;
        Weighed::Agreed
    }

    fn release(&mut self, believed: bool) -> Vec<Placed> {
        if self.held.is_empty() {
            return Vec::new();
        }
        let held = std::mem::take(&mut self.held);
        held.into_iter()
            .map(|activity| {
                if believed {
                    Placed {
                        at: activity.time,
                        activity,
                    }
                } else {
                    self.disbelieve(activity)
                }
            })
            .collect()
    }

    fn disbelieve(&mut self, activity: Activity) -> Placed {
        self.disbelieved += 1;
        Placed {
            at: Timestamp::from_nanos(self.now.as_nanos().saturating_sub(self.behind)),
            activity,
        }
    }
}

enum Weighed {
    /// Close to the clock.
    Near,
    /// Far, and confirmed by another: the clock leapt.
    Agreed,
    /// Far, and alone.
    Doubted,
}

fn apart(a: Timestamp, b: Timestamp) -> Duration {
    a.max(b).since(a.min(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{Net, at};

    fn activity(seconds: u64) -> Activity {
        let mut activity = Net::default().refused("alice", "10.0.0.7", 25);
        activity.time = at(seconds);
        activity
    }

    /// What an engine does with an activity.
    fn place(clock: &mut Clock, activity: Activity) -> Vec<Placed> {
        let at = activity.time;
        match clock.follow(at) {
            Some(mut placed) => {
                placed.push(Placed { activity, at });
                placed
            }
            None => clock.hold(activity).into_iter().collect(),
        }
    }

    fn times(placed: &[Placed]) -> Vec<Timestamp> {
        placed.iter().map(|one| one.at).collect()
    }

    #[test]
    fn one_absurd_stamp_moves_nothing_and_takes_the_time_around_it() {
        let mut clock = Clock::default();
        place(&mut clock, activity(0));
        assert_eq!(times(&place(&mut clock, activity(900_000_000))), []);
        assert_eq!(
            times(&place(&mut clock, activity(900_000_000))),
            [],
            "the same packet's"
        );
        assert_eq!(clock.tick(at(900_000_000)), [], "a tick made from it");
        assert_eq!(clock.now(), at(0));
        assert_eq!(
            times(&place(&mut clock, activity(1))),
            [at(1), at(1), at(1)]
        );
        assert_eq!(clock.disbelieved(), 2);
    }

    #[test]
    fn two_that_agree_are_a_leap() {
        let mut clock = Clock::default();
        place(&mut clock, activity(0));
        assert_eq!(times(&place(&mut clock, activity(80_000))), []);
        let placed = place(&mut clock, activity(80_001));
        assert_eq!(times(&placed), [at(80_000), at(80_001)]);
        assert_eq!(clock.now(), at(80_001));
        clock.tick(at(200_000));
        clock.tick(at(200_001));
        assert_eq!(clock.now(), at(200_001));
    }

    #[test]
    fn a_clock_set_back_goes_on_from_where_it_is() {
        let mut clock = Clock::default();
        place(&mut clock, activity(100_000));
        place(&mut clock, activity(0));
        let placed = place(&mut clock, activity(1));
        assert_eq!(
            times(&placed),
            [at(0), at(1)],
            "activities keep their own time"
        );
        assert_eq!(clock.now(), at(100_000));
        place(&mut clock, activity(61));
        assert_eq!(clock.now(), at(100_060));
    }

    #[test]
    fn the_last_one_is_not_held_for_ever() {
        let mut clock = Clock::default();
        place(&mut clock, activity(0));
        place(&mut clock, activity(80_000));
        assert_eq!(times(&clock.finish()), [at(80_000)]);
    }

    #[test]
    fn holds_no_more_than_its_limit() {
        let mut clock = Clock::default();
        place(&mut clock, activity(0));
        for n in 0..MAX_HELD as u64 {
            assert_eq!(times(&place(&mut clock, activity((n + 1) * 80_000))), []);
        }
        assert_eq!(times(&place(&mut clock, activity(1_000_000_000))).len(), 1);
        assert_eq!(clock.held.len(), MAX_HELD);
    }
}
