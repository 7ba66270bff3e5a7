//! Several captures as one stream.

use std::path::PathBuf;

use goshawk_model::Timestamp;

use super::{CaptureFile, FileError, Packet, Timeline};

/// Packets of several files on one [`Timeline`].
pub struct Captures {
    /// Files being read, each with the packet it offers next; in the order given.
    open: Vec<(CaptureFile, Packet)>,
    /// Files to be opened when those before them have ended, in reverse.
    later: Vec<PathBuf>,
    timeline: Timeline,
    /// Packets skipped in the files that have ended.
    unreadable: u64,
    /// What went wrong, in the order it did.
    problems: Vec<Problem>,
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
            timeline: Timeline::default(),
            unreadable: 0,
            problems: Vec::new(),
        };
        while captures.open_next() && !sequential {}
        captures
    }

    /// Reads the next packet into `packet`, placed on the timeline; `false` at the end of all.
    pub fn read(&mut self, packet: &mut Packet) -> bool {
        let Some(first) = self.earliest() else {
            return false;
        };
        let (file, offered) = &mut self.open[first];
        std::mem::swap(packet, offered);
        match file.read(offered) {
            Ok(true) => {}
            ended => {
                if let Err(error) = ended {
                    self.problems.push(Problem::Failed(error));
                } else if file.was_cut() {
                    self.problems.push(Problem::Cut(file.path().to_owned()));
                }
                self.unreadable += file.unreadable();
                self.open.remove(first);
                if self.open.is_empty() {
                    self.open_next();
                }
            }
        }
        let next = self.earliest().map(|next| self.open[next].1.time);
        packet.time = self.timeline.place(packet.time, next);
        true
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
        let open = self.open.iter().map(|(file, _)| file.unreadable());
        [
            ("clock-step", self.timeline.steps()),
            ("unreadable-link", self.unreadable + open.sum::<u64>()),
        ]
    }

    /// Opens files until one offers a packet; `false` when none is left.
    fn open_next(&mut self) -> bool {
        while let Some(path) = self.later.pop() {
            let mut packet = Packet::default();
            match CaptureFile::open(&path) {
                Ok(mut file) => match file.read(&mut packet) {
                    Ok(true) => {
                        self.open.push((file, packet));
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

    /// The file whose packet is earliest; of equals, the one named first.
    fn earliest(&self) -> Option<usize> {
        (0..self.open.len()).min_by_key(|&at| self.open[at].1.time)
    }
}
