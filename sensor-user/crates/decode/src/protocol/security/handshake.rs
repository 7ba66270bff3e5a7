//! One authentication on its way.

use std::sync::Arc;

use goshawk_model::ntlm::{NtlmAuthenticate, NtlmChallenge, NtlmLogon};
use goshawk_model::{
    Account, Carrier, Credentials, Kind, Mechanism, Negotiation, Outcome, Status, Timestamp,
};

use super::{gss, ntlm};
use crate::flow::Side;
use crate::protocol::kerberos::ApReq;
use crate::protocol::{Context, Draft, Moment, kerberos};
use crate::stats::Protocol;

/// The tokens of both sides, from the first one to the server's verdict, and again for those who
/// authenticate once more.
///
/// Of an attempt there is one activity: when the carrier ends it, when it has waited too long, when
/// another one begins, or when nothing more will come.
#[derive(Debug)]
pub(crate) struct Handshake {
    carrier: Carrier,
    credentials: Arc<Credentials>,
    attempt: Option<Box<Attempt>>,
}

/// What waits for the server's verdict.
#[derive(Debug)]
struct Attempt {
    moment: Moment,
    deadline: Timestamp,
    client: Side,
    shown: Shown,
}

#[derive(Debug)]
enum Shown {
    /// A ticket, and what the server's own token says against it.
    Ticket { asked: ApReq, error: Option<i32> },
    /// Messages of NTLM.
    Ntlm(Box<NtlmLogon>),
}

/// How the server took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Accepted,
    /// With the carrier's status, where it tells one.
    Refused(Option<Status>),
}

impl Handshake {
    pub(crate) fn new(carrier: Carrier) -> Self {
        Self {
            carrier,
            credentials: Arc::new(Credentials::new(Mechanism::Other)),
            attempt: None,
        }
    }

    /// What the client has shown so far.
    pub(crate) fn credentials(&self) -> &Arc<Credentials> {
        &self.credentials
    }

    /// The client names itself, or nobody, in a token of its carrier's own, which proves nothing
    /// yet.
    pub(crate) fn claim(
        &mut self,
        mechanism: Mechanism,
        account: impl Into<Option<Account>>,
        workstation: Option<Box<str>>,
    ) {
        self.credentials = Arc::new(Credentials {
            account: account.into(),
            workstation,
            ..Credentials::new(mechanism)
        });
    }

    /// Whether the server has sent a challenge that the client has not answered.
    pub(crate) fn is_asked(&self) -> bool {
        let shown = self.attempt.as_ref().map(|attempt| &attempt.shown);
        matches!(shown, Some(Shown::Ntlm(logon))
            if logon.challenge.is_some() && logon.authenticate.is_none())
    }

    /// The client sends a token.
    pub(crate) fn client(&mut self, client: Side, token: &[u8], cx: &mut Context<'_>) {
        let opened = gss::open(token);
        self.negotiated(opened.said);
        match opened.token {
            gss::Token::Kerberos(message) => {
                if let Some(kerberos::Message::ApReq(asked)) = kerberos_message(message, cx) {
                    self.present(client, asked, cx);
                }
            }
            gss::Token::Ntlm(message) => self.ntlm(client, client, message, cx),
            gss::Token::Other => {}
        }
    }

    /// The server sends a token to `client`.
    pub(crate) fn server(&mut self, client: Side, token: &[u8], cx: &mut Context<'_>) {
        let mut opened = gss::open(token);
        // A server's list is a hint ([MS-SPNG] 2.2.1); what counts is the client's.
        opened.said.offered.clear();
        self.negotiated(opened.said);
        match opened.token {
            gss::Token::Kerberos(message) => {
                if let Some(kerberos::Message::Error(refusal)) = kerberos_message(message, cx)
                    && let Some(Shown::Ticket { error, .. }) = self.shown()
                {
                    *error = Some(refusal.code);
                }
            }
            gss::Token::Ntlm(message) => self.ntlm(client, client.other(), message, cx),
            gss::Token::Other => {}
        }
    }

    /// The server has decided; its own token, if any, was taken before.
    pub(crate) fn end(&mut self, ending: Ending, cx: &mut Context<'_>) {
        let goes_on =
            matches!(self.shown(), Some(Shown::Ntlm(logon)) if logon.authenticate.is_none());
        if ending == Ending::Accepted && goes_on {
            // It has only accepted to go on.
            return;
        }
        let error = match self.shown() {
            Some(Shown::Ticket { error, .. }) => *error,
            _ => None,
        };
        let outcome = match (ending, error) {
            (Ending::Accepted, None) => Outcome::Success,
            (Ending::Accepted, Some(_)) | (Ending::Refused(_), _) => Outcome::Failure,
        };
        if outcome == Outcome::Success && !self.credentials.proven {
            Arc::make_mut(&mut self.credentials).proven = true;
        }
        if let (Ending::Refused(refused), Some(Shown::Ntlm(logon))) = (ending, self.shown()) {
            logon.status = refused;
        }
        self.tell(outcome, cx);
    }

    /// When the server's verdict, or the client's next token, will have been waited for long
    /// enough.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.attempt.as_ref().map(|attempt| attempt.deadline)
    }

    /// Ends what has waited until `now`.
    pub(crate) fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        if let Some(attempt) = self.attempt.take_if(|attempt| attempt.deadline <= now) {
            let moment = Moment {
                time: attempt.deadline,
                ..attempt.moment
            };
            self.emit(*attempt, moment, Outcome::Unknown, cx);
        }
    }

    /// Ends it now: nothing more will come.
    pub(crate) fn close(&mut self, cx: &mut Context<'_>) {
        self.tell(Outcome::Unknown, cx);
    }

    fn shown(&mut self) -> Option<&mut Shown> {
        self.attempt.as_mut().map(|attempt| &mut attempt.shown)
    }

    fn negotiated(&mut self, said: Negotiation) {
        if said != Negotiation::default() {
            let credentials = Arc::make_mut(&mut self.credentials);
            credentials.negotiation.get_or_insert_default().add(said);
        }
    }

    fn present(&mut self, client: Side, asked: ApReq, cx: &mut Context<'_>) {
        self.tell(Outcome::Unknown, cx);
        self.credentials = Arc::new(Credentials {
            ticket: Some(asked.ticket.clone()),
            negotiation: self.credentials.negotiation.clone(),
            ..Credentials::new(Mechanism::Kerberos)
        });
        let error = None;
        self.wait(client, Shown::Ticket { asked, error }, cx);
    }

    /// An NTLM message comes from the side `from`.
    fn ntlm(&mut self, client: Side, from: Side, message: &[u8], cx: &mut Context<'_>) {
        let message = ntlm::parse(message);
        cx.stats.message(Protocol::Ntlm, message.is_some());
        if self.credentials.mechanism == Mechanism::Other {
            Arc::make_mut(&mut self.credentials).mechanism = Mechanism::Ntlm;
        }
        let Some(message) = message.filter(|it| it.is_from_client() == (from == client)) else {
            return;
        };
        let goes_on = matches!(self.shown(), Some(Shown::Ntlm(logon)) if message.follows(logon));
        if !goes_on {
            self.tell(Outcome::Unknown, cx);
        }
        let mut logon = match self.attempt.take().map(|attempt| attempt.shown) {
            Some(Shown::Ntlm(logon)) => logon,
            _ => Box::new(NtlmLogon::new(self.carrier)),
        };
        match message {
            ntlm::Message::Negotiate(negotiate) => logon.negotiate = Some(negotiate),
            ntlm::Message::Challenge(challenge) => logon.challenge = Some(challenge),
            ntlm::Message::Authenticate(authenticate) => {
                self.credentials = Arc::new(Credentials {
                    negotiation: self.credentials.negotiation.clone(),
                    ..claimed(&authenticate, logon.challenge.as_ref())
                });
                logon.authenticate = Some(*authenticate);
            }
        }
        self.wait(client, Shown::Ntlm(logon), cx);
    }

    /// What is shown waits for a verdict, or for the next token, from now on.
    fn wait(&mut self, client: Side, shown: Shown, cx: &mut Context<'_>) {
        self.attempt = Some(Box::new(Attempt {
            moment: cx.moment(),
            deadline: cx.time + cx.limits.answer_wait,
            client,
            shown,
        }));
    }

    fn tell(&mut self, outcome: Outcome, cx: &mut Context<'_>) {
        if let Some(attempt) = self.attempt.take() {
            let moment = cx.moment();
            self.emit(*attempt, moment, outcome, cx);
        }
    }

    fn emit(&self, attempt: Attempt, moment: Moment, outcome: Outcome, cx: &mut Context<'_>) {
        let draft = match attempt.shown {
            Shown::Ticket { asked, error } => {
                // Its own token says so, whatever became of the carrier's.
                let outcome = if error.is_some() {
                    Outcome::Failure
                } else {
                    outcome
                };
                Draft::new(Kind::Ap(asked.exchange(self.carrier, error)), outcome)
            }
            Shown::Ntlm(logon) => {
                let shown = logon.authenticate.is_some();
                let draft = Draft::new(Kind::Ntlm(logon), outcome);
                if shown {
                    draft.by(&self.credentials)
                } else {
                    draft
                }
            }
        };
        cx.emit(moment, attempt.client, draft);
    }
}

/// What Windows and Samba call the domain of a computer that is in none. Who logs on from there by
/// an account of the server's domain names it all the same, and is let in.
const NO_DOMAIN: &str = "WORKGROUP";

/// What an AUTHENTICATE message claims, in answer to a challenge.
fn claimed(authenticate: &NtlmAuthenticate, challenge: Option<&NtlmChallenge>) -> Credentials {
    let of_server = challenge.and_then(|challenge| {
        let told = challenge.target_info.netbios_domain.as_deref();
        told.or(challenge.target_name.as_deref())
    });
    let is_domain = |domain: &&str| {
        let is_server_s = of_server.is_some_and(|own| own.eq_ignore_ascii_case(domain));
        is_server_s || !domain.eq_ignore_ascii_case(NO_DOMAIN)
    };
    let domain = authenticate.domain.as_deref().filter(is_domain);
    let domain = domain.unwrap_or_default();
    let user = authenticate.user.as_deref().filter(|user| !user.is_empty());
    Credentials {
        account: user.map(|user| Account::new(user, domain)),
        workstation: authenticate.workstation.as_deref().and_then(host_name),
        ..Credentials::new(if authenticate.is_anonymous() {
            Mechanism::Anonymous
        } else {
            Mechanism::Ntlm
        })
    }
}

/// Lower case, without leading backslashes and without its domain.
fn host_name(workstation: &str) -> Option<Box<str>> {
    let name = workstation.trim_start_matches('\\');
    let name = name.split('.').next().unwrap_or(name).trim();
    (!name.is_empty()).then(|| name.to_lowercase().into())
}

fn kerberos_message<'a>(message: &'a [u8], cx: &mut Context<'_>) -> Option<kerberos::Message<'a>> {
    let message = kerberos::parse(message, cx.keytab);
    cx.stats.message(Protocol::Kerberos, message.is_some());
    message
}
