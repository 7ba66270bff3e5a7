//! What waits on one flow for its answer, each until a deadline of its own.

use std::time::Duration;

use goshawk_model::Timestamp;

use super::{Context, Draft, Few, Fingerprint, Moment};
use crate::flow::Side;
use crate::stats::Drop;

/// Something that was asked.
pub(crate) trait Question {
    /// What is told of it when nobody has answered.
    fn unanswered(self) -> Draft;
}

/// Questions, the oldest first; for a while also what was told already, so that repetitions of it
/// are known by their `K`. There are [`max_pending`](crate::Limits::max_pending) at the most: the
/// oldest makes room, and what it asked is told as unanswered.
#[derive(Debug)]
pub(crate) struct Waiting<K, T> {
    entries: Few<Entry<K, T>>,
    /// The earliest of their deadlines.
    due: Option<Timestamp>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Entry<K, T> {
    pub(crate) client: Side,
    pub(crate) key: K,
    /// `None` once told.
    pub(crate) asked: Option<T>,
    moment: Moment,
    deadline: Timestamp,
}

/// What repetitions are known by over UDP: a client that hears nothing asks again in the same
/// bytes, and a mirror port may show every packet twice.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fingerprints {
    /// Of the question; `None` if only an answer was seen.
    pub(crate) asked: Option<Fingerprint>,
    /// Of the answer.
    pub(crate) answered: Option<Fingerprint>,
}

impl<K, T> Default for Waiting<K, T> {
    fn default() -> Self {
        Self {
            entries: Few::default(),
            due: None,
        }
    }
}

impl<K, T: Question> Waiting<K, T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// When the next of them will have waited long enough.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.due
    }

    /// A question waits for as long as all do.
    pub(crate) fn ask(&mut self, client: Side, key: K, asked: T, cx: &mut Context<'_>) {
        self.keep(client, key, Some(asked), cx.limits.answer_wait, cx);
    }

    /// Something is told, and is remembered for a while.
    pub(crate) fn remember(&mut self, client: Side, key: K, wait: Duration, cx: &mut Context<'_>) {
        self.keep(client, key, None, wait, cx);
    }

    /// Whether there is such an entry of the client, told or not.
    pub(crate) fn any(&self, client: Side, is_such: impl Fn(&Entry<K, T>) -> bool) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|entry| entry.client == client && is_such(entry))
    }

    /// Where such questions of the client are that are not answered, the oldest first.
    pub(crate) fn open(
        &self,
        client: Side,
        is_such: impl Fn(&K, &T) -> bool,
    ) -> impl DoubleEndedIterator<Item = usize> {
        let entries = self.entries.iter().enumerate();
        entries.filter_map(move |(index, entry)| {
            let asked = entry.asked.as_ref()?;
            (entry.client == client && is_such(&entry.key, asked)).then_some(index)
        })
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Entry<K, T>> {
        self.entries.get_mut(index)
    }

    /// Lets an entry wait for so long from now on.
    pub(crate) fn wait(&mut self, index: usize, wait: Duration, cx: &Context<'_>) {
        if let Some(entry) = self.entries.get_mut(index) {
            let before = std::mem::replace(&mut entry.deadline, cx.time + wait);
            let after = entry.deadline;
            if self.due == Some(before) {
                self.due = self.earliest();
            }
            self.due = self.due.map(|due| due.min(after));
        }
    }

    pub(crate) fn remove(&mut self, index: usize) -> Option<Entry<K, T>> {
        let entry = self.entries.remove(index)?;
        if self.due == Some(entry.deadline) {
            self.due = self.earliest();
        }
        Some(entry)
    }

    /// Ends what has waited until `now`, each at its own deadline.
    pub(crate) fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        while let Some(due) = self.due.filter(|&due| due <= now) {
            let is_due = |entry: &Entry<K, T>| entry.deadline == due;
            let index = self.entries.iter().position(is_due);
            let Some(entry) = index.and_then(|index| self.remove(index)) else {
                return;
            };
            let moment = Moment {
                time: due,
                ..entry.moment
            };
            entry.end(moment, cx);
        }
    }

    /// Ends everything now: nothing more will come.
    pub(crate) fn close(&mut self, cx: &mut Context<'_>) {
        self.due = None;
        for entry in std::mem::take(&mut self.entries) {
            let moment = cx.moment();
            entry.end(moment, cx);
        }
    }

    fn keep(
        &mut self,
        client: Side,
        key: K,
        asked: Option<T>,
        wait: Duration,
        cx: &mut Context<'_>,
    ) {
        let entry = Entry {
            client,
            key,
            asked,
            moment: cx.moment(),
            deadline: cx.time + wait,
        };
        if self.entries.len() >= cx.limits.max_pending
            && let Some(oldest) = self.remove(0)
            && oldest.asked.is_some()
        {
            cx.stats.drop(Drop::PendingEvicted);
            let moment = cx.moment();
            oldest.end(moment, cx);
        }
        self.due = self.due.into_iter().chain([entry.deadline]).min();
        self.entries.push_back(entry);
    }

    fn earliest(&self) -> Option<Timestamp> {
        self.entries.iter().map(|entry| entry.deadline).min()
    }
}

impl<K, T: Question> Entry<K, T> {
    fn end(self, moment: Moment, cx: &mut Context<'_>) {
        if let Some(asked) = self.asked {
            cx.emit(moment, self.client, asked.unanswered());
        }
    }
}

#[cfg(test)]
mod tests {
    use goshawk_model::sntp::{SntpExchange, SntpForm};
    use goshawk_model::{Kind, Outcome};
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::Bench;

    /// A question that is known by its number.
    struct Asked(u32);

    impl Question for Asked {
        fn unanswered(self) -> Draft {
            let exchange = SntpExchange {
                rid: self.0,
                old_key: false,
                form: SntpForm::Basic,
                signed: None,
            };
            Draft::new(Kind::Sntp(exchange), Outcome::Unknown)
        }
    }

    /// What was told, and when.
    fn told(bench: &Bench) -> Vec<(u32, Timestamp)> {
        let told = bench.out.iter().filter_map(|it| match &it.activity.kind {
            Kind::Sntp(exchange) => Some((exchange.rid, it.activity.time)),
            _ => None,
        });
        told.collect()
    }

    const WAIT: Duration = Duration::from_secs(1);

    #[test]
    fn a_flood_stays_within_its_bound_and_each_is_told() {
        let mut bench = Bench::new();
        bench.limits.max_pending = 8;
        let mut waiting = Waiting::default();
        for number in 0..100 {
            waiting.ask(Side::High, number, Asked(number), &mut bench.context());
            assert!(waiting.entries.len() <= 8);
        }
        assert_eq!(bench.stats.dropped(Drop::PendingEvicted), 92);
        waiting.close(&mut bench.context());
        assert!(waiting.is_empty() && waiting.deadline().is_none());
        let numbers: Vec<_> = told(&bench).iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_told_makes_room_in_silence() {
        let mut bench = Bench::new();
        bench.limits.max_pending = 8;
        let mut waiting = Waiting::<_, Asked>::default();
        for number in 0..100 {
            waiting.remember(Side::High, number, WAIT, &mut bench.context());
        }
        assert!(waiting.any(Side::High, |entry| entry.key == 92));
        assert!(!waiting.any(Side::High, |entry| entry.key == 91));
        assert!(!waiting.any(Side::Low, |entry| entry.key == 92));
        assert_eq!(bench.stats, crate::Stats::default());
        assert!(bench.out.is_empty());
    }

    #[test]
    fn each_is_ended_at_its_own_deadline() {
        let mut bench = Bench::new();
        let start = bench.time;
        let mut waiting = Waiting::default();
        for number in 0..4 {
            waiting.ask(Side::High, number, Asked(number), &mut bench.context());
        }
        // The last one's answer has begun; the second is answered, and remembered for a moment.
        waiting.wait(3, WAIT, &bench.context());
        waiting.wait(1, 2 * WAIT, &bench.context());
        waiting.get_mut(1).unwrap().asked = None;
        let open: Vec<_> = waiting.open(Side::High, |_, _| true).collect();
        assert_eq!(open, [0, 2, 3]);
        waiting.expire(Timestamp::MAX, &mut bench.context());
        let late = start + bench.limits.answer_wait;
        assert_eq!(told(&bench), [(3, start + WAIT), (0, late), (2, late)]);
    }

    proptest! {
        #[test]
        fn the_deadline_is_the_earliest_of_all(
            steps in proptest::collection::vec((0..5u8, 0..12usize, 0..20_000u64), 1..60),
        ) {
            let mut bench = Bench::new();
            bench.limits.max_pending = 8;
            let mut waiting = Waiting::default();
            for (number, (step, index, millis)) in (0..).zip(steps) {
                let time = Duration::from_millis(millis);
                bench.time = bench.time + time / 10;
                let now = bench.time;
                let mut cx = bench.context();
                match step {
                    0 => waiting.ask(Side::High, number, Asked(number), &mut cx),
                    1 => waiting.remember(Side::High, number, time, &mut cx),
                    2 => waiting.wait(index, time, &cx),
                    3 => drop(waiting.remove(index)),
                    _ => waiting.expire(now, &mut cx),
                }
                prop_assert_eq!(waiting.deadline(), waiting.earliest());
                prop_assert!(step != 4 || waiting.deadline().is_none_or(|due| due > now));
            }
        }
    }
}
