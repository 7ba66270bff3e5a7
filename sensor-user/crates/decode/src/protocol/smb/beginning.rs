//! How a connection begins: both sides agree on a dialect, and clients log on.

use std::sync::Arc;

use goshawk_model::smb::{Negotiate, SessionSetup, SmbOperation};
use goshawk_model::{Outcome, Status};

use super::answered::Answer;
use super::requests::{Asked, Request};
use super::sessions::Setup;
use super::state::{State, emit};
use crate::flow::Side;
use crate::protocol::Context;
use crate::protocol::security::Ending;

impl State {
    /// A negotiation was answered, in a message that `read` takes to pieces; `None` if it cannot.
    pub(crate) fn negotiate_answered(
        &mut self,
        answer: &Answer,
        read: impl FnOnce(&mut Negotiate) -> Option<()>,
        cx: &mut Context<'_>,
    ) -> Option<()> {
        let is_negotiate = |asked: &Asked| matches!(asked, Asked::Negotiate(_));
        let request = self.requests.take(answer.client, answer.id, is_negotiate);
        // One that SMB 1 began is answered in SMB 2, under an id of its own ([MS-SMB2] 3.3.5.3.1).
        let request = request.or_else(|| self.requests.take_any(answer.client, is_negotiate));
        let mut negotiate = match request {
            Some(Request {
                asked: Asked::Negotiate(negotiate),
                ..
            }) => negotiate,
            _ => Box::default(),
        };
        negotiate.status = answer.refusal;
        let understood = match answer.refusal {
            None => read(&mut negotiate),
            Some(_) => Some(()),
        };
        self.negotiated(answer.client, negotiate, answer.outcome(), cx);
        understood
    }

    /// A step of a logon was answered with `token`; `None` if nothing of that can be read. `note`
    /// keeps what else is said.
    pub(crate) fn setup_answered(
        &mut self,
        answer: &Answer,
        goes_on: bool,
        token: Option<&[u8]>,
        note: impl FnOnce(&mut SessionSetup),
        cx: &mut Context<'_>,
    ) -> Option<()> {
        let is_session = |asked: &Asked| matches!(asked, Asked::Session(_));
        let mut setup = match self.requests.take(answer.client, answer.id, is_session) {
            Some(Request {
                asked: Asked::Session(setup),
                ..
            }) => Some(setup),
            _ => None,
        };
        if let Some(setup) = &mut setup {
            note(&mut setup.told);
        }
        self.logged_on(answer, goes_on, token.unwrap_or_default(), setup, cx);
        // What refuses says nothing more.
        (token.is_some() || answer.refusal.is_some() && !goes_on).then_some(())
    }

    /// The server has answered a logon: it goes on, or has ended.
    fn logged_on(
        &mut self,
        answer: &Answer,
        goes_on: bool,
        token: &[u8],
        setup: Option<Box<Setup>>,
        cx: &mut Context<'_>,
    ) {
        let Some(mut setup) = setup else {
            // Asked where nobody saw it; the session is there all the same.
            if answer.refusal.is_none() && !goes_on {
                self.sessions.open(answer.session, cx).is_valid = true;
            }
            return;
        };
        setup.told.session = answer.session;
        setup.told.dialect.clone_from(&self.dialect);
        if !token.is_empty() {
            setup.handshake.server(answer.client, token, cx);
        }
        if goes_on {
            setup.deadline = cx.time + cx.limits.answer_wait;
            self.sessions.open(answer.session, cx).setup = Some(setup);
            return;
        }
        setup.told.status = answer.refusal;
        let ending = match answer.refusal {
            None => Ending::Accepted,
            Some(status) => Ending::Refused(Some(Status::Ntstatus(status))),
        };
        let is_guest = setup.told.guest && setup.credentials().account.is_some();
        if ending == Ending::Accepted && is_guest {
            // A guest is who did not prove to be the account he named.
            setup.handshake.close(cx);
        } else {
            setup.handshake.end(ending, cx);
        }
        if ending == Ending::Accepted {
            setup.told.signing_required =
                self.signing_required && !setup.told.guest && !setup.told.null;
            let credentials = Arc::clone(setup.credentials());
            let session = self.sessions.open(answer.session, cx);
            session.credentials = Some(credentials);
            session.is_valid = true;
        } else if self
            .sessions
            .get(answer.session)
            .is_some_and(|session| !session.is_valid)
        {
            self.sessions.end(answer.session, cx);
        }
        let moment = cx.moment();
        setup.tell(moment, answer.outcome(), cx);
    }

    /// A negotiation has ended.
    pub(super) fn negotiated(
        &mut self,
        client: Side,
        negotiate: Box<Negotiate>,
        outcome: Outcome,
        cx: &mut Context<'_>,
    ) {
        if outcome == Outcome::Success {
            self.dialect.clone_from(&negotiate.chosen);
            let sides = [&negotiate.client, &negotiate.server];
            let requires = |mode: u16| mode & 2 != 0;
            self.signing_required = sides
                .into_iter()
                .flatten()
                .any(|terms| requires(terms.security_mode));
            let server = negotiate.server.as_ref();
            self.compression = server.map(|terms| terms.compression.iter().any(|&id| id != 0));
        }
        let moment = cx.moment();
        emit(
            moment,
            client,
            SmbOperation::Negotiate(negotiate),
            outcome,
            None,
            cx,
        );
    }
}
