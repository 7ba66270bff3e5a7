//! What is known of a connection, and what waits on it: the same in every version.

use std::borrow::Cow;
use std::sync::Arc;

use goshawk_model::smb::SmbOperation;
use goshawk_model::{Credentials, Kind, Outcome, Timestamp};

use super::files::Files;
use super::requests::{Asked, Request, Requests};
use super::sessions::Sessions;
use super::trees::Trees;
use crate::flow::Side;
use crate::protocol::{Context, Draft, Moment};

/// The well-known ports: direct TCP and NetBIOS ([MS-SMB2] 1.9).
const PORTS: [u16; 2] = [445, 139];

/// The state of one connection.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The side that asks, once a message has told.
    asker: Option<Side>,
    pub(crate) dialect: Option<Cow<'static, str>>,
    /// One of both sides requires signatures.
    pub(crate) signing_required: bool,
    /// Whether compression was agreed on, once negotiated.
    pub(crate) compression: Option<bool>,
    pub(crate) sessions: Sessions,
    pub(crate) trees: Trees,
    pub(crate) files: Files,
    pub(crate) requests: Requests,
}

impl State {
    /// A message has told who asks.
    pub(crate) fn is_asked_by(&mut self, client: Side) {
        self.asker = Some(client);
    }

    /// The side that asks, as far as that can be told.
    pub(crate) fn client(&self, cx: &Context<'_>) -> Side {
        let by_port = || {
            let is_server = |side| PORTS.contains(&cx.flow.end(side).port());
            if is_server(Side::Low) {
                Side::High
            } else {
                Side::Low
            }
        };
        self.asker.or(cx.opener).unwrap_or_else(by_port)
    }

    /// Keeps a request until it is answered.
    pub(crate) fn ask(
        &mut self,
        client: Side,
        id: u64,
        (session, tree): (u64, u32),
        asked: Asked,
        cx: &mut Context<'_>,
    ) {
        let request = Request {
            id,
            client,
            moment: cx.moment(),
            deadline: cx.time + cx.limits.answer_wait,
            session,
            tree,
            asked,
        };
        let evicted = self
            .requests
            .push(request, cx.limits.max_smb_requests, cx.stats);
        self.evict(evicted, cx);
    }

    /// The answer to a request will take long.
    pub(crate) fn park(&mut self, client: Side, id: u64, cx: &mut Context<'_>) {
        let evicted = self
            .requests
            .park(client, id, cx.limits.max_smb_requests, cx.stats);
        self.evict(evicted, cx);
    }

    /// Something from `side` was lost.
    pub(crate) fn lost(&mut self, side: Side) {
        self.files.lost(side);
    }

    /// When the next thing will have waited long enough.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let all = [
            self.requests.deadline(),
            self.sessions.deadline(),
            self.files.deadline(),
        ];
        all.into_iter().flatten().min()
    }

    /// Ends what has waited until `now`.
    pub(crate) fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        while let Some(request) = self.requests.expired(now) {
            let moment = Moment {
                time: request.deadline,
                ..request.moment
            };
            self.unanswered(request, moment, cx);
        }
        self.sessions.expire(now, cx);
        self.files.expire(now, cx);
    }

    /// Ends everything now.
    pub(crate) fn close(&mut self, cx: &mut Context<'_>) {
        while let Some(request) = self.requests.pop() {
            let moment = cx.moment();
            self.unanswered(request, moment, cx);
        }
        self.files.end_where(|_| true, cx);
        self.sessions.close(cx);
    }

    fn evict(&mut self, evicted: Option<Request>, cx: &mut Context<'_>) {
        if let Some(request) = evicted {
            let moment = cx.moment();
            self.unanswered(request, moment, cx);
        }
    }
}

/// Emits something that a session has done.
pub(super) fn emit(
    moment: Moment,
    client: Side,
    operation: SmbOperation,
    outcome: Outcome,
    credentials: Option<&Arc<Credentials>>,
    cx: &mut Context<'_>,
) {
    let draft = Draft::new(Kind::Smb(operation), outcome);
    let draft = match credentials {
        Some(credentials) => draft.by(credentials),
        None => draft,
    };
    cx.emit(moment, client, draft);
}
