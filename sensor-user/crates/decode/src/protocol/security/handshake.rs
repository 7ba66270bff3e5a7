//! One authentication on its way.

use std::sync::Arc;

use goshawk_model::kerberos::{ApExchange, Ticket};
use goshawk_model::{Carrier, Credentials, Kind, Mechanism, Outcome, Timestamp};

use super::{gss, ntlm};
use crate::flow::Side;
use crate::protocol::{Context, Draft, Moment, kerberos};
use crate::stats::{Protocol, Stats};

/// The tokens of both sides, from the first one to the server's verdict.
#[derive(Debug)]
pub(crate) struct Handshake {
    carrier: Carrier,
    credentials: Arc<Credentials>,
    /// The ticket whose acceptance was not seen yet.
    presented: Option<Presented>,
    /// Whether the server has sent an NTLM challenge that the client has not answered.
    challenged: bool,
}

/// A ticket that waits for the server's verdict.
#[derive(Debug)]
struct Presented {
    moment: Moment,
    deadline: Timestamp,
    client: Side,
    ticket: Ticket,
    /// What the server's own token says against it.
    error: Option<i32>,
}

/// How the server took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Accepted,
    Refused,
}

impl Handshake {
    pub(crate) fn new(carrier: Carrier) -> Self {
        Self {
            carrier,
            credentials: Arc::new(Credentials::new(Mechanism::Other)),
            presented: None,
            challenged: false,
        }
    }

    /// What the client has shown so far.
    pub(crate) fn credentials(&self) -> &Arc<Credentials> {
        &self.credentials
    }

    /// The client sends a token.
    pub(crate) fn client(&mut self, client: Side, token: &[u8], cx: &mut Context<'_>) {
        match gss::unwrap(token) {
            gss::Token::Kerberos(message) => {
                if let Some(kerberos::Message::ApReq(ticket)) = kerberos_message(message, cx.stats)
                {
                    self.present(client, ticket, cx);
                }
            }
            gss::Token::Ntlm(message) => {
                let message = ntlm::parse(message);
                cx.stats.message(Protocol::Ntlm, message.is_some());
                let credentials = Arc::make_mut(&mut self.credentials);
                credentials.mechanism = Mechanism::Ntlm;
                if let Some(ntlm::Message::Authenticate(names)) = message {
                    self.challenged = false;
                    credentials.account = names.account;
                    credentials.workstation = names.workstation;
                }
            }
            gss::Token::Other => {}
        }
    }

    /// The server sends a token.
    pub(crate) fn server(&mut self, token: &[u8], cx: &mut Context<'_>) {
        match gss::unwrap(token) {
            gss::Token::Kerberos(message) => {
                if let Some(kerberos::Message::Error(error)) = kerberos_message(message, cx.stats)
                    && let Some(presented) = &mut self.presented
                {
                    presented.error = Some(error.code);
                }
            }
            gss::Token::Ntlm(message) => {
                self.challenged = true;
                cx.stats
                    .message(Protocol::Ntlm, ntlm::parse(message).is_some());
            }
            gss::Token::Other => {}
        }
    }

    /// The server has decided; its own token, if any, was taken before.
    pub(crate) fn end(&mut self, ending: Ending, cx: &mut Context<'_>) {
        if ending == Ending::Accepted && self.challenged {
            // It has only accepted to go on.
            return;
        }
        let outcome = match (ending, self.presented.as_ref().and_then(|it| it.error)) {
            (Ending::Accepted, None) => Outcome::Success,
            (Ending::Accepted, Some(_)) | (Ending::Refused, _) => Outcome::Failure,
        };
        if outcome == Outcome::Success && !self.credentials.proven {
            Arc::make_mut(&mut self.credentials).proven = true;
        }
        self.tell(outcome, cx);
    }

    /// When the server's verdict will have been waited for long enough.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.presented.as_ref().map(|presented| presented.deadline)
    }

    /// Ends what has waited until `now`.
    pub(crate) fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        if let Some(presented) = self
            .presented
            .take_if(|presented| presented.deadline <= now)
        {
            let moment = Moment {
                time: presented.deadline,
                ..presented.moment
            };
            self.emit(presented, moment, Outcome::Unknown, cx);
        }
    }

    /// Ends it now: nothing more will come.
    pub(crate) fn close(&mut self, cx: &mut Context<'_>) {
        self.tell(Outcome::Unknown, cx);
    }

    fn present(&mut self, client: Side, ticket: Ticket, cx: &mut Context<'_>) {
        self.tell(Outcome::Unknown, cx);
        let credentials = Arc::make_mut(&mut self.credentials);
        credentials.mechanism = Mechanism::Kerberos;
        credentials.ticket = Some(ticket.clone());
        self.presented = Some(Presented {
            moment: cx.moment(),
            deadline: cx.time + cx.limits.answer_wait,
            client,
            ticket,
            error: None,
        });
    }

    fn tell(&mut self, outcome: Outcome, cx: &mut Context<'_>) {
        if let Some(presented) = self.presented.take() {
            let moment = cx.moment();
            self.emit(presented, moment, outcome, cx);
        }
    }

    fn emit(&self, presented: Presented, moment: Moment, outcome: Outcome, cx: &mut Context<'_>) {
        let exchange = ApExchange {
            ticket: presented.ticket,
            carrier: self.carrier,
            error: presented.error,
        };
        cx.emit(
            moment,
            presented.client,
            Draft::new(Kind::Ap(exchange), outcome),
        );
    }
}

fn kerberos_message<'a>(message: &'a [u8], stats: &mut Stats) -> Option<kerberos::Message<'a>> {
    let message = kerberos::parse(message);
    stats.message(Protocol::Kerberos, message.is_some());
    message
}
