//! A queue in memory before something that can fail: a disk, mostly.
//!
//! Whoever pushes never waits. A thread hands what has come to a [`Sink`], whatever has gathered
//! while the batch before was written, so that one `fsync` serves a storm and a lone entry goes out
//! at once. While the sink fails, entries wait and are tried again; beyond [`CAPACITY`] they are
//! refused and counted.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::complaint::Complaint;

/// Entries that wait in memory, at most.
pub(crate) const CAPACITY: usize = 4096;
/// Entries handed to the sink at a time, at most.
const BATCH: usize = 256;
/// The pause before a failed batch is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// Where entries go.
pub(crate) trait Sink: Send + 'static {
    /// What it takes.
    type Entry: Send;

    /// Keeps the whole batch, durably, or none of it. An empty batch, which comes first, opens
    /// what must be open.
    ///
    /// # Errors
    /// One line for people: what cannot be written, why, and what to do.
    fn write(&mut self, batch: &[Self::Entry]) -> Result<(), String>;

    /// What the log says when writing works again.
    fn recovered(&self) -> String;
}

/// The queue and its thread. Dropped, it tries once more to write what waits, and ends.
pub(crate) struct Outbox<T> {
    shared: Arc<Shared<T>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    /// Something came, or the end.
    wake: Condvar,
    /// Everything is written.
    idle: Condvar,
    complaint: Complaint,
}

struct State<T> {
    queue: VecDeque<T>,
    /// Entries with the sink right now.
    in_hand: usize,
    refused: u64,
    stopping: bool,
}

impl<T: Send + 'static> Outbox<T> {
    /// Starts the thread, called `name`.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub(crate) fn start<S: Sink<Entry = T>>(name: &str, sink: S) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                queue: VecDeque::new(),
                in_hand: 0,
                refused: 0,
                stopping: false,
            }),
            wake: Condvar::new(),
            idle: Condvar::new(),
            complaint: Complaint::default(),
        });
        let thread = thread::Builder::new().name(name.to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.run(sink)
        })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Adds an entry, or counts it as refused when the queue is full. Never waits for the sink.
    pub(crate) fn push(&self, entry: T) {
        let mut state = self.shared.lock();
        if state.queue.len() + state.in_hand >= CAPACITY {
            state.refused += 1;
            return;
        }
        state.queue.push_back(entry);
        self.shared.wake.notify_one();
    }

    /// Waits until all that was pushed is written, but no longer than `within`; how many entries
    /// are still unwritten.
    pub(crate) fn flush(&self, within: Duration) -> usize {
        let deadline = Instant::now() + within;
        let mut state = self.shared.lock();
        loop {
            let left = state.queue.len() + state.in_hand;
            let patience = deadline.saturating_duration_since(Instant::now());
            if left == 0 || patience.is_zero() {
                return left;
            }
            state = self
                .shared
                .idle
                .wait_timeout(state, patience)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Entries refused since the start.
    pub(crate) fn refused(&self) -> u64 {
        self.shared.lock().refused
    }

    /// What keeps the sink from writing now.
    pub(crate) fn problem(&self) -> Option<String> {
        self.shared.complaint.current()
    }
}

impl<T> Drop for Outbox<T> {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            // A sink that panicked has said so itself.
            let _ = thread.join();
        }
    }
}

impl<T: Send> Shared<T> {
    fn run<S: Sink<Entry = T>>(&self, mut sink: S) {
        let mut batch = Vec::new();
        loop {
            while let Err(line) = sink.write(&batch) {
                self.complaint.raise(&line);
                if self.pause() {
                    return;
                }
            }
            self.complaint.settle(&sink.recovered());
            let Some(next) = self.next() else { return };
            batch = next;
        }
    }

    /// Waits for entries; `None` when the end has come and nothing is left.
    fn next(&self) -> Option<Vec<T>> {
        let mut state = self.lock();
        state.in_hand = 0;
        while state.queue.is_empty() {
            self.idle.notify_all();
            if state.stopping {
                return None;
            }
            state = self
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let many = state.queue.len().min(BATCH);
        state.in_hand = many;
        Some(state.queue.drain(..many).collect())
    }

    /// Waits before another try; whether it should rather end.
    fn pause(&self) -> bool {
        let (state, _) = self
            .wake
            .wait_timeout_while(self.lock(), RETRY, |state| !state.stopping)
            .unwrap_or_else(PoisonError::into_inner);
        state.stopping
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[derive(Clone, Default)]
    struct Paper {
        torn: Arc<AtomicBool>,
        lines: Arc<Mutex<Vec<usize>>>,
    }

    impl Sink for Paper {
        type Entry = usize;

        fn write(&mut self, batch: &[usize]) -> Result<(), String> {
            if self.torn.load(Ordering::SeqCst) {
                return Err("the paper is torn".into());
            }
            self.lines.lock().unwrap().extend(batch);
            Ok(())
        }

        fn recovered(&self) -> String {
            "the paper is whole again".into()
        }
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_a_failing_sink_refuses_is_written_later_in_order() {
        let paper = Paper::default();
        paper.torn.store(true, Ordering::SeqCst);
        let outbox = Outbox::start("test", paper.clone()).unwrap();
        for entry in 0..1000 {
            outbox.push(entry);
        }
        assert_eq!(outbox.flush(Duration::ZERO), 1000);
        paper.torn.store(false, Ordering::SeqCst);
        assert_eq!(outbox.flush(LONG), 0);
        assert!(paper.lines.lock().unwrap().iter().copied().eq(0..1000));
        assert_eq!(outbox.refused(), 0);
    }

    #[test]
    fn beyond_its_capacity_entries_are_refused_and_counted() {
        let paper = Paper::default();
        paper.torn.store(true, Ordering::SeqCst);
        let outbox = Outbox::start("test", paper.clone()).unwrap();
        for entry in 0..CAPACITY + 3 {
            outbox.push(entry);
        }
        assert_eq!(outbox.refused(), 3);
        paper.torn.store(false, Ordering::SeqCst);
        assert_eq!(outbox.flush(LONG), 0);
        assert!(paper.lines.lock().unwrap().iter().copied().eq(0..CAPACITY));
    }

    #[test]
    fn the_problem_is_told_while_it_lasts() {
        let paper = Paper::default();
        let outbox = Outbox::start("test", paper.clone()).unwrap();
        outbox.push(1);
        assert_eq!(outbox.flush(LONG), 0);
        assert_eq!(outbox.problem(), None);
        paper.torn.store(true, Ordering::SeqCst);
        outbox.push(2);
        while outbox.problem().is_none() {
            thread::yield_now();
        }
        assert_eq!(outbox.problem().unwrap(), "the paper is torn");
        paper.torn.store(false, Ordering::SeqCst);
        assert_eq!(outbox.flush(LONG), 0);
        assert_eq!(outbox.problem(), None);
    }

    #[test]
    fn dropped_it_writes_what_waits() {
        let paper = Paper::default();
        let outbox = Outbox::start("test", paper.clone()).unwrap();
        for entry in 0..CAPACITY {
            outbox.push(entry);
        }
        drop(outbox);
        assert_eq!(paper.lines.lock().unwrap().len(), CAPACITY);
    }
}
