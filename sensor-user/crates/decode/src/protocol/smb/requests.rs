//! Requests that wait for their answers.

use goshawk_model::Timestamp;
use goshawk_model::smb::{Ioctl, Negotiate, Share, Transaction};

use super::files::FileKey;
use super::open::{Change, Open};
use super::sessions::Setup;
use crate::flow::Side;
use crate::protocol::{Few, Moment};
use crate::stats::{Drop, Stats};

/// A request whose answer will tell something.
#[derive(Debug)]
pub(crate) struct Request {
    /// `MessageId`, or SMB 1's `MID` and `PID`.
    pub(crate) id: u64,
    pub(crate) client: Side,
    pub(crate) moment: Moment,
    pub(crate) deadline: Timestamp,
    pub(crate) session: u64,
    pub(crate) tree: u32,
    pub(crate) asked: Asked,
}

/// What was asked.
#[derive(Debug)]
pub(crate) enum Asked {
    Negotiate(Box<Negotiate>),
    Session(Box<Setup>),
    Logoff,
    Tree(Box<Share>),
    TreeDisconnect,
    Create(Box<Open>),
    /// Something is done to a path at once: listed, deleted or renamed.
    Named(Box<Open>),
    Close(Target),
    Read(Target),
    /// So many bytes.
    Write(Target, u32),
    /// A write and a read of a pipe at once.
    Transceive(Target),
    Change(Target, Change),
    Ioctl(Box<Ioctl>),
    Transaction(Box<Transaction>),
}

/// The file that a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    File(FileKey),
    /// The one that the request with this id opens: it travels in the same message.
    OpenedBy(u64),
}

/// The requests of one connection, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    waiting: Few<Request>,
    /// Those that the server has said to take long over ([MS-SMB2] 3.3.4.2).
    parked: Few<Request>,
}

impl Requests {
    /// Keeps a request; what makes room for it is handed back.
    pub(crate) fn push(
        &mut self,
        request: Request,
        room: usize,
        stats: &mut Stats,
    ) -> Option<Request> {
        self.waiting.push_back(request);
        pop_beyond(&mut self.waiting, room, stats)
    }

    /// The server will take long over it; what makes room is handed back.
    pub(crate) fn park(
        &mut self,
        client: Side,
        id: u64,
        room: usize,
        stats: &mut Stats,
    ) -> Option<Request> {
        let index = position(&self.waiting, client, id, |_| true)?;
        self.parked.push_back(self.waiting.remove(index)?);
        pop_beyond(&mut self.parked, room, stats)
    }

    /// Takes the oldest request with this id that asked for such a thing.
    pub(crate) fn take(
        &mut self,
        client: Side,
        id: u64,
        fits: impl Fn(&Asked) -> bool,
    ) -> Option<Request> {
        for queue in [&mut self.waiting, &mut self.parked] {
            if let Some(index) = position(queue, client, id, &fits) {
                return queue.remove(index);
            }
        }
        None
    }

    /// Looks at the oldest request with this id that asked for such a thing.
    pub(crate) fn peek(
        &mut self,
        client: Side,
        id: u64,
        fits: impl Fn(&Asked) -> bool,
    ) -> Option<&mut Request> {
        for queue in [&mut self.waiting, &mut self.parked] {
            if let Some(index) = position(queue, client, id, &fits) {
                return queue.get_mut(index);
            }
        }
        None
    }

    /// The oldest of those that asked for such a thing, whatever its id.
    pub(crate) fn take_any(
        &mut self,
        client: Side,
        fits: impl Fn(&Asked) -> bool,
    ) -> Option<Request> {
        let fits = |request: &Request| request.client == client && fits(&request.asked);
        let index = self.waiting.iter().position(fits)?;
        self.waiting.remove(index)
    }

    /// The file that a request opens is known under `key` from now on.
    pub(crate) fn opened(&mut self, client: Side, id: u64, key: FileKey) {
        for request in self.waiting.iter_mut().filter(|it| it.client == client) {
            if let Asked::Close(target)
            | Asked::Read(target)
            | Asked::Write(target, _)
            | Asked::Transceive(target)
            | Asked::Change(target, _) = &mut request.asked
                && *target == Target::OpenedBy(id)
            {
                *target = Target::File(key);
            }
        }
    }

    /// When the oldest will have waited long enough.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.waiting.front().map(|request| request.deadline)
    }

    /// Takes one that has waited until `now`.
    pub(crate) fn expired(&mut self, now: Timestamp) -> Option<Request> {
        self.waiting.pop_front_if(|request| request.deadline <= now)
    }

    /// Takes the oldest.
    pub(crate) fn pop(&mut self) -> Option<Request> {
        self.waiting.pop_front().or_else(|| self.parked.pop_front())
    }
}

fn position(
    queue: &Few<Request>,
    client: Side,
    id: u64,
    fits: impl Fn(&Asked) -> bool,
) -> Option<usize> {
    queue
        .iter()
        .position(|request| request.id == id && request.client == client && fits(&request.asked))
}

fn pop_beyond(queue: &mut Few<Request>, room: usize, stats: &mut Stats) -> Option<Request> {
    if queue.len() <= room {
        return None;
    }
    stats.drop(Drop::PendingEvicted);
    queue.pop_front()
}
