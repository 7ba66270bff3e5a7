//! Time that never runs backwards.

use std::time::Duration;

use goshawk_model::Timestamp;

/// Turns the times of a capture into a monotone timeline.
///
/// Captures hold packets slightly out of order (several queues of one card), stamps that are
/// absurd (a card's clock at start-up), and clocks that were set. A late packet happens with the
/// one before it; an absurd stamp does too, so that it expires nothing; a clock set back continues
/// from where it was, and counts as a step.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    last: Option<Timestamp>,
    /// Added to every time since a clock was set back.
    shift: Duration,
    steps: u64,
}

impl Timeline {
    /// Packets later than this against their order show that a clock was set back.
    const REORDER: Duration = Duration::from_secs(60);
    /// A stamp this far ahead needs the next packet's to be believed.
    const LEAP: Duration = Duration::from_secs(86_400);

    /// Whether a packet stamped `time` finds its place only with the stamp of the one after it.
    pub fn is_doubtful(&self, time: Timestamp) -> bool {
        let time = time + self.shift;
        self.last
            .is_none_or(|last| time > last + Self::LEAP || time + Self::REORDER < last)
    }

    /// The place of a packet stamped `time`, when the packet after it is stamped `next`: that
    /// counts only if the first is [doubtful](Self::is_doubtful).
    pub fn place(&mut self, time: Timestamp, next: Option<Timestamp>) -> Timestamp {
        let mut time = time + self.shift;
        let next = next.map(|next| next + self.shift);
        let Some(last) = self.last else {
            let first = next
                .filter(|&next| next + Self::LEAP < time)
                .unwrap_or(time);
            self.last = Some(first);
            return first;
        };
        let returns = |next: Timestamp| next + Self::REORDER < time;
        if time > last + Self::LEAP && next.is_some_and(returns) {
            time = last;
        } else if time + Self::REORDER < last && next.is_none_or(|next| next + Self::REORDER < last)
        {
            self.shift += last.since(time);
            self.steps += 1;
            time = last;
        }
        let time = time.max(last);
        self.last = Some(time);
        time
    }

    /// The latest time placed.
    pub fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// How often a clock was set back so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seconds: &[u64]) -> (Vec<u64>, u64) {
        let mut timeline = Timeline::default();
        let stamps: Vec<_> = seconds
            .iter()
            .map(|&s| Timestamp::from_parts(s, 0))
            .collect();
        let placed = (0..stamps.len())
            .map(|at| timeline.place(stamps[at], stamps.get(at + 1).copied()))
            .map(|time| time.as_nanos() / 1_000_000_000)
            .collect();
        (placed, timeline.steps())
    }

    #[test]
    fn late_packets_happen_with_the_one_before() {
        assert_eq!(run(&[100, 105, 103, 106]), (vec![100, 105, 105, 106], 0));
    }

    #[test]
    fn an_absurd_stamp_moves_nothing() {
        let absurd = 4_000_000_000;
        assert_eq!(run(&[100, absurd, 101, 102]), (vec![100, 100, 101, 102], 0));
        assert_eq!(run(&[absurd, 100, 101]), (vec![100, 100, 101], 0));
        assert_eq!(
            run(&[200_000, 200_001, 0, 200_002]),
            (vec![200_000, 200_001, 200_001, 200_002], 0)
        );
    }

    #[test]
    fn a_clock_set_back_goes_on_from_where_it_was() {
        assert_eq!(
            run(&[10_000, 10_001, 5_000, 5_001, 5_009]),
            (vec![10_000, 10_001, 10_001, 10_002, 10_010], 1)
        );
    }

    #[test]
    fn a_pause_of_days_is_believed() {
        assert_eq!(
            run(&[100, 1_000_000, 1_000_001]),
            (vec![100, 1_000_000, 1_000_001], 0)
        );
    }

    proptest::proptest! {
        #[test]
        fn the_next_stamp_counts_only_in_doubt(seconds in proptest::collection::vec(0_u64..300_000, 1..50)) {
            let mut timeline = Timeline::default();
            for pair in seconds.windows(2) {
                let [time, next] = [pair[0], pair[1]].map(|s| Timestamp::from_parts(s, 0));
                if !timeline.is_doubtful(time) {
                    proptest::prop_assert_eq!(timeline.clone().place(time, Some(next)), timeline.clone().place(time, None));
                }
                timeline.place(time, Some(next));
            }
        }

        #[test]
        fn never_runs_backwards(seconds in proptest::collection::vec(0_u64..5_000_000_000, 1..50)) {
            let (placed, _) = run(&seconds);
            proptest::prop_assert!(placed.is_sorted());
        }
    }
}
