//! The sessions of a connection: who they are, and how much of them is sealed.

use std::sync::Arc;

use goshawk_model::smb::{Sealed, SessionSetup, SmbOperation};
use goshawk_model::{Credentials, Kind, Outcome, Timestamp};

use super::recent::Recent;
use crate::flow::Side;
use crate::protocol::security::Handshake;
use crate::protocol::{Context, Draft, Moment};
use crate::stats::Drop;

/// A logon on its way.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) client: Side,
    pub(crate) moment: Moment,
    pub(crate) deadline: Timestamp,
    pub(crate) handshake: Handshake,
    pub(crate) told: SessionSetup,
}

/// A session.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) credentials: Option<Arc<Credentials>>,
    /// The server has accepted it.
    pub(crate) is_valid: bool,
    /// The logon that goes on with the client's next message.
    pub(crate) setup: Option<Box<Setup>>,
    sealed: Option<Box<Traffic>>,
}

/// What is sealed in a session.
#[derive(Debug)]
struct Traffic {
    client: Side,
    moment: Moment,
    sealed: Sealed,
    /// When it will have gone on for so long that it is told.
    slow: Option<Timestamp>,
    /// Whether something is not told yet.
    news: bool,
}

/// The sessions of one connection.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    table: Recent<u64, Session>,
}

impl Setup {
    pub(crate) fn credentials(&self) -> &Arc<Credentials> {
        self.handshake.credentials()
    }

    /// Emits it as it ended.
    pub(crate) fn tell(self, moment: Moment, outcome: Outcome, cx: &mut Context<'_>) {
        let credentials = Arc::clone(self.credentials());
        let operation = SmbOperation::Session(Box::new(self.told));
        let draft = Draft::new(Kind::Smb(operation), outcome).by(&credentials);
        cx.emit(moment, self.client, draft);
    }

    /// Emits it without a verdict.
    pub(crate) fn unanswered(mut self, moment: Moment, cx: &mut Context<'_>) {
        self.handshake.close(cx);
        self.tell(moment, Outcome::Unknown, cx);
    }

    fn deadline(&self) -> Timestamp {
        self.handshake
            .deadline()
            .map_or(self.deadline, |due| due.max(self.deadline))
    }
}

impl Sessions {
    pub(crate) fn get(&mut self, id: u64) -> Option<&mut Session> {
        self.table.get(id)
    }

    /// Who a session is.
    pub(crate) fn credentials(&mut self, id: u64) -> Option<Arc<Credentials>> {
        self.table.get(id)?.credentials.clone()
    }

    /// The session with this id, made if need be.
    pub(crate) fn open(&mut self, id: u64, cx: &mut Context<'_>) -> &mut Session {
        if self.table.len() >= cx.limits.max_smb_sessions
            && !self.table.contains(id)
            && let Some(session) = self.table.pop_oldest()
        {
            cx.stats.drop(Drop::SmbEvicted);
            session.end(cx);
        }
        self.table.get_or_insert(id, Session::default)
    }

    /// A session ends; whether it was known.
    pub(crate) fn end(&mut self, id: u64, cx: &mut Context<'_>) -> bool {
        let session = self.table.remove(id);
        let known = session.is_some();
        if let Some(session) = session {
            session.end(cx);
        }
        known
    }

    /// A sealed message of `length` bytes was sent.
    pub(crate) fn sealed(
        &mut self,
        id: u64,
        client: Side,
        from: Side,
        length: usize,
        cx: &mut Context<'_>,
    ) {
        let session = self.open(id, cx);
        let traffic = session.sealed.get_or_insert_with(|| {
            Box::new(Traffic {
                client,
                moment: cx.moment(),
                sealed: Sealed {
                    session: id,
                    ..Sealed::default()
                },
                slow: Some(cx.time + cx.limits.open_wait),
                news: true,
            })
        });
        traffic.news = true;
        let sealed = &mut traffic.sealed;
        let (messages, bytes) = if from == client {
            (&mut sealed.requests, &mut sealed.request_bytes)
        } else {
            (&mut sealed.responses, &mut sealed.response_bytes)
        };
        *messages += 1;
        *bytes += length as u64;
    }

    /// When the next of them will have waited long enough.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.table.values().filter_map(Session::deadline).min()
    }

    /// Ends what has waited until `now`.
    pub(crate) fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        for session in self.table.values_mut() {
            session.expire(now, cx);
        }
    }

    /// Ends everything now.
    pub(crate) fn close(&mut self, cx: &mut Context<'_>) {
        while let Some(session) = self.table.pop_oldest() {
            session.end(cx);
        }
    }
}

impl Session {
    fn deadline(&self) -> Option<Timestamp> {
        let setup = self.setup.as_ref().map(|setup| setup.deadline());
        let slow = self.sealed.as_ref().and_then(|traffic| traffic.slow);
        setup.into_iter().chain(slow).min()
    }

    fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        if let Some(mut setup) = self.setup.take_if(|setup| setup.deadline() <= now) {
            let moment = Moment {
                time: setup.deadline(),
                ..setup.moment
            };
            setup.handshake.expire(now, cx);
            setup.tell(moment, Outcome::Unknown, cx);
        }
        let credentials = &self.credentials;
        if let Some(traffic) = &mut self.sealed
            && let Some(time) = traffic.slow.take_if(|slow| *slow <= now)
        {
            let moment = Moment {
                time,
                ..traffic.moment
            };
            traffic.tell(true, moment, credentials.as_ref(), cx);
            traffic.sealed.again = true;
            traffic.news = false;
        }
    }

    fn end(mut self, cx: &mut Context<'_>) {
        let moment = cx.moment();
        if let Some(setup) = self.setup.take() {
            setup.unanswered(moment, cx);
        }
        if let Some(traffic) = self.sealed.as_ref().filter(|it| it.news) {
            let moment = cx.moment();
            traffic.tell(false, moment, self.credentials.as_ref(), cx);
        }
    }
}

impl Traffic {
    fn tell(
        &self,
        open: bool,
        moment: Moment,
        credentials: Option<&Arc<Credentials>>,
        cx: &mut Context<'_>,
    ) {
        let operation = SmbOperation::Sealed(Sealed {
            open,
            ..self.sealed
        });
        let draft = Draft::new(Kind::Smb(operation), Outcome::Success);
        let draft = match credentials {
            Some(credentials) => draft.by(credentials),
            None => draft,
        };
        cx.emit(moment, self.client, draft);
    }
}
