//! One file, directory or pipe, from the request to open it to its end.

use std::sync::Arc;

use goshawk_model::smb::{FileAccess, SmbOperation};
use goshawk_model::{Credentials, Kind, Mechanism, Outcome, Timestamp};

use crate::flow::Side;
use crate::protocol::dcerpc::Pipe;
use crate::protocol::{Context, Draft, Moment};

/// `FILE_DELETE_ON_CLOSE`, [MS-SMB2] 2.2.13.
const DELETE_ON_CLOSE: u32 = 0x1000;
/// Memory that an open file takes beside its texts and its pipe, bytes.
const COST: usize = 512;

/// Something that was opened, or is about to be.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) client: Side,
    /// The session and tree it belongs to.
    pub(crate) session: u64,
    pub(crate) tree: u32,
    pub(crate) credentials: Option<Arc<Credentials>>,
    pub(crate) access: FileAccess,
    moment: Moment,
    /// What is known of what it is.
    is_pipe: Option<bool>,
    pipe: Option<Box<Pipe>>,
    outcome: Outcome,
    /// When it will have been open for so long that it is told.
    slow: Option<Timestamp>,
    /// Whether something is not told yet.
    news: bool,
}

/// What an open file is, as far as its bytes are of interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nature {
    Pipe,
    /// It may be either: the bytes will tell.
    Unknown,
    Other,
}

/// What was done to an open file, beside reading and writing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Listed(Box<str>),
    /// Whether it will be deleted when it is closed.
    Delete(bool),
    Renamed(Box<str>),
    Secured,
}

impl Open {
    /// Somebody asks for what `access` describes; `is_pipe` where the share tells.
    pub(crate) fn new(
        client: Side,
        access: FileAccess,
        is_pipe: Option<bool>,
        cx: &mut Context<'_>,
    ) -> Self {
        Self {
            client,
            session: 0,
            tree: 0,
            credentials: None,
            access,
            moment: cx.moment(),
            is_pipe,
            pipe: None,
            outcome: Outcome::Unknown,
            slow: Some(cx.time + cx.limits.open_wait),
            news: true,
        }
    }

    /// Who opened it, and where.
    pub(crate) fn within(
        mut self,
        session: u64,
        tree: u32,
        credentials: Option<Arc<Credentials>>,
    ) -> Self {
        (self.session, self.tree, self.credentials) = (session, tree, credentials);
        if self.is_pipe == Some(true) {
            self.make_pipe();
        }
        self
    }

    pub(crate) fn nature(&self) -> Nature {
        match self.is_pipe {
            Some(true) => Nature::Pipe,
            Some(false) => Nature::Other,
            None => Nature::Unknown,
        }
    }

    /// The server has opened it.
    pub(crate) fn opened(&mut self, cx: &mut Context<'_>) {
        self.outcome = Outcome::Success;
        self.access.deleted |= self.access.options & DELETE_ON_CLOSE != 0;
        if self.access.pipe {
            // What travels on it is told for itself.
            self.tell(cx.moment(), cx);
            self.slow = None;
        }
    }

    /// The server has done at once what was asked.
    pub(crate) fn done(mut self, cx: &mut Context<'_>) {
        self.outcome = Outcome::Success;
        self.end(cx);
    }

    /// The server has refused to open it.
    pub(crate) fn refused(mut self, status: u32, cx: &mut Context<'_>) {
        self.outcome = Outcome::Failure;
        self.access.action = None;
        self.access.status = Some(status);
        self.end(cx);
    }

    /// Bytes were read from it, or written to it; those of a pipe are its conversation.
    pub(crate) fn carried(
        &mut self,
        from: Side,
        count: u64,
        payload: Option<&[u8]>,
        cx: &mut Context<'_>,
    ) {
        let total = if from == self.client {
            &mut self.access.written
        } else {
            &mut self.access.read
        };
        *total = total.saturating_add(count);
        self.news |= count > 0 && !self.access.pipe;
        let Some(payload) = payload else { return };
        if self.is_pipe == Some(false) {
            return;
        }
        let client = self.client;
        let pipe = self.make_pipe();
        pipe.bytes(client, from, payload, cx);
        if (payload.len() as u64) < count {
            pipe.lost(from);
        }
    }

    /// Something was done to it.
    pub(crate) fn changed(&mut self, change: Change) {
        let access = &mut self.access;
        match change {
            Change::Listed(pattern) => {
                access.listed.get_or_insert(pattern);
            }
            Change::Delete(delete) => access.deleted = delete,
            Change::Renamed(name) => access.renamed_to = Some(name),
            Change::Secured => access.security_set = true,
        }
        self.news = true;
    }

    /// The server has refused something.
    pub(crate) fn denied(&mut self, status: u32) {
        self.access.status.get_or_insert(status);
        self.news = true;
    }

    /// Something from `side` was lost.
    pub(crate) fn lost(&mut self, side: Side) {
        if let Some(pipe) = &mut self.pipe {
            pipe.lost(side);
        }
    }

    /// Memory it takes, bytes.
    pub(crate) fn held(&self) -> usize {
        let path = self.access.path.as_ref().map_or(0, |path| path.len());
        COST + path + self.pipe.as_ref().map_or(0, |pipe| pipe.held())
    }

    /// When it will have waited long enough for something.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let pipe = self.pipe.as_ref().and_then(|pipe| pipe.deadline());
        self.slow.into_iter().chain(pipe).min()
    }

    /// Ends what has waited until `now`.
    pub(crate) fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        if let Some(pipe) = &mut self.pipe {
            pipe.expire(now, cx);
        }
        if let Some(time) = self.slow.take_if(|slow| *slow <= now) {
            self.access.open = true;
            self.tell(
                Moment {
                    time,
                    ..self.moment
                },
                cx,
            );
            self.access.open = false;
            self.access.again = true;
        }
    }

    /// It is closed.
    pub(crate) fn end(mut self, cx: &mut Context<'_>) {
        if let Some(pipe) = &mut self.pipe {
            pipe.close(cx);
        }
        if self.news {
            self.tell(cx.moment(), cx);
        }
    }

    /// Nobody answered.
    pub(crate) fn unanswered(mut self, moment: Moment, cx: &mut Context<'_>) {
        if let Some(pipe) = &mut self.pipe {
            pipe.close(cx);
        }
        self.tell(moment, cx);
    }

    fn tell(&mut self, moment: Moment, cx: &mut Context<'_>) {
        self.news = false;
        let operation = SmbOperation::File(Box::new(self.access.clone()));
        let draft = Draft::new(Kind::Smb(operation), self.outcome);
        let draft = match &self.credentials {
            Some(credentials) => draft.by(credentials),
            None => draft,
        };
        cx.emit(moment, self.client, draft);
    }

    fn make_pipe(&mut self) -> &mut Pipe {
        self.is_pipe = Some(true);
        self.access.pipe = true;
        let name = self.access.path.as_deref().unwrap_or_default();
        let credentials = &self.credentials;
        self.pipe.get_or_insert_with(|| {
            let unknown = || Arc::new(Credentials::new(Mechanism::Other));
            Box::new(Pipe::new(name, credentials.clone().unwrap_or_else(unknown)))
        })
    }
}
