//! Several captures as one stream.

use std::path::PathBuf;

use goshawk_decode::LinkType;
use goshawk_model::Timestamp;

use super::{CaptureFile, FileError, Packet, Timeline};

/// Packets of several files on one [`Timeline`].
pub struct Captures {
    /// Files being read, each at the packet it offers next; in the order given.
    open: Vec<CaptureFile>,
    /// Files to be opened when those before them have ended, in reverse.
    later: Vec<PathBuf>,
    current: Current,
    /// The place of the current packet.
    time: Timestamp,
    timeline: Timeline,
    /// A packet whose place depended on the one after it.
    aside: Aside,
    /// Packets skipped in the files that have ended.
    unreadable: u64,
    /// What went wrong, in the order it did.
    problems: Vec<Problem>,
}

/// Where the packet that was read last is.
#[derive(Clone, Copy)]
enum Current {
    Nowhere,
    /// In this file.
    Offered(usize),
    Aside,
}

/// A packet that is kept while its file goes on.
struct Aside {
    link: LinkType,
    wire_len: u32,
    data: Vec<u8>,
}

/// Something the user must hear about a file.
#[derive(Debug)]
pub enum Problem {
    /// It was not read, or not to its end.
    Failed(FileError),
    /// It ends in the middle of a record.
    Cut(PathBuf),
}

impl Captures {
    /// Opens `paths`: merged by time, or read one after another when `sequential`.
    ///
    /// A file that cannot be read becomes a [`Problem`]; the others are read all the same.
    pub fn open(paths: &[PathBuf], sequential: bool) -> Self {
        let mut captures = Self {
            open: Vec::new(),
            later: paths.iter().rev().cloned().collect(),
            current: Current::Nowhere,
            time: Timestamp::ZERO,
            timeline: Timeline::default(),
            aside: Aside {
                link: LinkType::Ethernet,
                wire_len: 0,
                data: Vec::new(),
            },
            unreadable: 0,
            problems: Vec::new(),
        };
        while captures.open_next() && !sequential {}
        captures
    }

    /// Goes on to the next packet, placed on the timeline; `false` at the end of all.
    pub fn read(&mut self) -> bool {
        if let Current::Offered(file) = std::mem::replace(&mut self.current, Current::Nowhere) {
            self.pass(file);
        }
        let Some((first, packet)) = self.earliest() else {
            return false;
        };
        if !self.timeline.is_doubtful(packet.time) {
            self.time = self.timeline.place(packet.time, None);
            self.current = Current::Offered(first);
            return true;
        }
        let (link, wire_len, data) = (packet.link, packet.wire_len, packet.data.to_vec());
        let time = packet.time;
        self.aside = Aside {
            link,
            wire_len,
            data,
        };
        self.pass(first);
        let next = self.earliest().map(|(_, next)| next.time);
        self.time = self.timeline.place(time, next);
        self.current = Current::Aside;
        true
    }

    /// The packet that was read last; `None` at the end.
    pub fn packet(&self) -> Option<Packet<'_>> {
        let time = self.time;
        match self.current {
            Current::Nowhere => None,
            Current::Offered(file) => {
                let packet = self.open.get(file)?.packet()?;
                Some(Packet { time, ..packet })
            }
            Current::Aside => Some(Packet {
                time,
                link: self.aside.link,
                wire_len: self.aside.wire_len,
                data: &self.aside.data,
            }),
        }
    }

    /// What went wrong since the last call.
    pub fn take_problems(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.problems)
    }

    /// The latest time placed.
    pub fn last(&self) -> Option<Timestamp> {
        self.timeline.last()
    }

    /// What the captures themselves lost, by name: how often a clock was set back, and packets whose
    /// link layer is one we do not read.
    pub fn losses(&self) -> [(&'static str, u64); 2] {
        let open = self.open.iter().map(CaptureFile::unreadable);
        [
            ("clock-step", self.timeline.steps()),
            ("unreadable-link", self.unreadable + open.sum::<u64>()),
        ]
    }

    /// Lets a file offer its next packet, or ends it.
    fn pass(&mut self, index: usize) {
        let Some(file) = self.open.get_mut(index) else {
            return;
        };
        match file.read() {
            Ok(true) => return,
            Ok(false) if file.was_cut() => {
                self.problems.push(Problem::Cut(file.path().to_owned()));
            }
            Ok(false) => {}
            Err(error) => self.problems.push(Problem::Failed(error)),
        }
        self.unreadable += file.unreadable();
        self.open.remove(index);
        if self.open.is_empty() {
            self.open_next();
        }
    }

    /// Opens files until one offers a packet; `false` when none is left.
    fn open_next(&mut self) -> bool {
        while let Some(path) = self.later.pop() {
            match CaptureFile::open(&path) {
                Ok(mut file) => match file.read() {
                    Ok(true) => {
                        self.open.push(file);
                        return true;
                    }
                    Ok(false) if file.was_cut() => self.problems.push(Problem::Cut(path)),
                    Ok(false) => {}
                    Err(error) => self.problems.push(Problem::Failed(error)),
                },
                Err(error) => self.problems.push(Problem::Failed(error)),
            }
        }
        false
    }

    /// The file whose packet is earliest, and that; of equals, the one named first.
    fn earliest(&self) -> Option<(usize, Packet<'_>)> {
        let first = match self.open.as_slice() {
            [_] => 0,
            files => (0..files.len()).min_by_key(|&at| files[at].time())?,
        };
        Some((first, self.open.get(first)?.packet()?))
    }
}
