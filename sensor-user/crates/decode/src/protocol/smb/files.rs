//! The files and pipes that are open on a connection.

use std::collections::BTreeSet;

use goshawk_model::Timestamp;
use lru::LruCache;

use super::open::{Nature, Open};
use crate::flow::Side;
use crate::protocol::Context;
use crate::stats::Drop;

/// What names an open file: a session and its `FileId` ([MS-SMB2] 2.2.14.1); in SMB 1 a FID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FileKey {
    pub(crate) session: u64,
    pub(crate) persistent: u64,
    pub(crate) volatile: u64,
}

/// Open files. A connection without any, as most are that are idle, has no table.
#[derive(Debug, Default)]
pub(crate) struct Files(Option<Box<Table>>);

/// Files, the least recently used first to make room.
#[derive(Debug)]
struct Table {
    files: LruCache<FileKey, Entry>,
    timers: BTreeSet<(Timestamp, FileKey)>,
    held: usize,
}

#[derive(Debug)]
struct Entry {
    open: Box<Open>,
    /// The deadline that is in `timers`.
    timer: Option<Timestamp>,
    /// Its part of `held`.
    held: usize,
}

impl Files {
    /// The server has opened a file under this id.
    pub(crate) fn insert(&mut self, key: FileKey, open: Box<Open>, cx: &mut Context<'_>) {
        // Taken again: its closing was missed.
        self.end(key, cx);
        self.0.get_or_insert_default().insert(key, open, cx);
    }

    pub(crate) fn contains(&self, key: FileKey) -> bool {
        self.get(key).is_some()
    }

    /// What an open file is; one whose opening was not seen may be anything.
    pub(crate) fn nature(&self, key: FileKey) -> Nature {
        self.get(key).map_or(Nature::Unknown, Open::nature)
    }

    /// The path of an open file.
    pub(crate) fn path(&self, key: FileKey) -> Option<Box<str>> {
        self.get(key)?.access.path.clone()
    }

    /// Does something with an open file, and keeps account of what it waits for and holds.
    pub(crate) fn with<R>(&mut self, key: FileKey, act: impl FnOnce(&mut Open) -> R) -> Option<R> {
        self.0.as_mut()?.with(key, act)
    }

    /// A file is closed.
    pub(crate) fn end(&mut self, key: FileKey, cx: &mut Context<'_>) {
        if let Some(table) = &mut self.0 {
            if let Some(entry) = table.files.pop(&key) {
                table.end(key, entry, cx);
            }
            if table.files.is_empty() {
                self.0 = None;
            }
        }
    }

    /// All such files are closed, in the order of their last use.
    pub(crate) fn end_where(&mut self, is_closed: impl Fn(&Open) -> bool, cx: &mut Context<'_>) {
        let closed = self.0.iter().flat_map(|table| table.files.iter().rev());
        let closed = closed.filter(|(_, entry)| is_closed(&entry.open));
        let keys: Vec<_> = closed.map(|(key, _)| *key).collect();
        for key in keys {
            self.end(key, cx);
        }
    }

    /// Something from `side` was lost.
    pub(crate) fn lost(&mut self, side: Side) {
        for (_, entry) in self.0.iter_mut().flat_map(|table| table.files.iter_mut()) {
            entry.open.lost(side);
        }
    }

    /// Memory that open files take, bytes.
    pub(crate) fn held(&self) -> usize {
        self.0.as_ref().map_or(0, |table| table.held)
    }

    /// When the next of them will have waited long enough.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.0.as_ref()?.timers.first().map(|(due, _)| *due)
    }

    /// Ends what has waited until `now`.
    pub(crate) fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        if let Some(table) = &mut self.0 {
            table.expire(now, cx);
        }
    }

    fn get(&self, key: FileKey) -> Option<&Open> {
        let entry = self.0.as_ref()?.files.peek(&key)?;
        Some(&entry.open)
    }
}

impl Table {
    fn insert(&mut self, key: FileKey, open: Box<Open>, cx: &mut Context<'_>) {
        let entry = Entry {
            open,
            timer: None,
            held: 0,
        };
        self.files.put(key, entry);
        self.with(key, |_| ());
        while self.files.len() > cx.limits.max_smb_files
            && let Some((key, entry)) = self.files.pop_lru()
        {
            cx.stats.drop(Drop::SmbEvicted);
            self.end(key, entry, cx);
        }
    }

    fn with<R>(&mut self, key: FileKey, act: impl FnOnce(&mut Open) -> R) -> Option<R> {
        let entry = self.files.get_mut(&key)?;
        let result = act(&mut entry.open);
        let (due, held) = (entry.open.deadline(), entry.open.held());
        if due != entry.timer {
            if let Some(timer) = entry.timer {
                self.timers.remove(&(timer, key));
            }
            self.timers.extend(due.map(|due| (due, key)));
            entry.timer = due;
        }
        self.held = (self.held + held).saturating_sub(entry.held);
        entry.held = held;
        Some(result)
    }

    fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        while let Some(&(_, key)) = self.timers.first().filter(|(due, _)| *due <= now) {
            self.timers.pop_first();
            if let Some(entry) = self.files.peek_mut(&key) {
                entry.timer = None;
            }
            self.with(key, |open| open.expire(now, cx));
        }
    }

    /// Ends a file that was taken out.
    fn end(&mut self, key: FileKey, entry: Entry, cx: &mut Context<'_>) {
        if let Some(timer) = entry.timer {
            self.timers.remove(&(timer, key));
        }
        self.held = self.held.saturating_sub(entry.held);
        entry.open.end(cx);
    }
}

impl Default for Table {
    fn default() -> Self {
        Self {
            files: LruCache::unbounded(),
            timers: BTreeSet::new(),
            held: 0,
        }
    }
}
