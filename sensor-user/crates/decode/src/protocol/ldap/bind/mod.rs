//! Binds (RFC 4511 4.2, [MS-ADTS] 5.1.1.1): who a client says it is, how it proves that, and what
//! the server says to it. SASL and Sicily take several rounds; they are one activity.

mod request;

use std::sync::Arc;

use goshawk_model::ldap::{Authentication, Bind, BindRequest, Operation, result_code};
use goshawk_model::{Carrier, Credentials, Outcome, Status, Timestamp};

use self::request::{Proof, Shown};
use super::asked::Asked;
use super::ber::Ber;
use super::result::{self, Answer};
use crate::protocol::security::{Ending, Handshake};
use crate::protocol::{Context, Draft, Moment};

/// `serverSaslCreds`
const SERVER_SASL_CREDS: u8 = 0x87;
/// What a server that speaks Sicily answers to the question for its packages: their names.
const PACKAGES: &[u8] = b"NTLM";
const NTLM: &[u8] = b"NTLMSSP\0";

/// The binds of one connection.
#[derive(Debug, Default)]
pub(super) struct Binds {
    under_way: Option<Box<Binding>>,
    /// What the connection has authenticated with.
    credentials: Option<Arc<Credentials>>,
    /// Whether SASL has, so that a security layer may follow.
    sasl: bool,
}

/// A bind under way.
#[derive(Debug)]
struct Binding {
    /// Its last request.
    asked: Asked,
    deadline: Timestamp,
    request: Option<BindRequest>,
    rounds: u32,
    /// Whether the server has answered the last request, and it is the client's turn.
    answered: bool,
    /// Whether what was asked last cannot decide yet: Sicily's first steps succeed too.
    preliminary: bool,
    proof: Proof,
}

impl Binds {
    /// What the connection has authenticated with.
    pub(super) fn credentials(&self) -> Option<&Arc<Credentials>> {
        self.credentials.as_ref()
    }

    /// Whether it did so by SASL.
    pub(super) fn is_sasl(&self) -> bool {
        self.sasl
    }

    /// A client binds; whether that was understood.
    pub(super) fn ask(&mut self, asked: Asked, body: Ber<'_>, cx: &mut Context<'_>) -> bool {
        let Some((request, shown)) = request::read(body) else {
            return false;
        };
        let deadline = cx.time + cx.limits.answer_wait;
        let goes_on = |binding: &mut Box<Binding>| {
            binding.asked.client == asked.client
                && shown.continues(
                    binding.request.as_ref().map(|it| &it.authentication),
                    binding.answered,
                )
        };
        let mut binding = match self.under_way.take_if(goes_on) {
            Some(binding) => Box::new(Binding {
                asked: Asked {
                    bytes: binding.asked.bytes.saturating_add(asked.bytes),
                    response_bytes: binding.asked.response_bytes,
                    controls: binding.asked.controls,
                    ..asked
                },
                deadline,
                request: binding.request.or(Some(request)),
                rounds: binding.rounds.saturating_add(1),
                answered: false,
                ..*binding
            }),
            None => {
                self.end(None, None, cx);
                Box::new(Binding {
                    asked,
                    deadline,
                    proof: Proof::of(&request),
                    request: Some(request),
                    rounds: 1,
                    answered: false,
                    preliminary: false,
                })
            }
        };
        binding.preliminary = matches!(shown, Shown::Sicily { last: false, .. });
        binding.proof.show(binding.asked.client, &shown, cx);
        self.under_way = Some(binding);
        true
    }

    /// The server answers; whether that was understood.
    pub(super) fn answer(&mut self, answered: Asked, body: Ber<'_>, cx: &mut Context<'_>) -> bool {
        let Some(mut answer) = result::read(body) else {
            return false;
        };
        let client = answered.client;
        let mut binding = match self.under_way.take() {
            Some(mut binding) if binding.asked.client == client => {
                binding.asked.response_bytes += answered.response_bytes;
                binding
            }
            other => {
                self.under_way = other;
                self.end(None, None, cx);
                // Only the answer was seen.
                Box::new(Binding {
                    asked: answered,
                    deadline: cx.time,
                    request: None,
                    rounds: 1,
                    answered: false,
                    preliminary: false,
                    proof: Proof::Tokens(Handshake::new(Carrier::Ldap)),
                })
            }
        };
        let token = answer.rest.optional(SERVER_SASL_CREDS).map(Ber::bytes);
        // Sicily's answer has its token in place of a name.
        let sicily = Some(answer.matched_dn).filter(|dn| dn.starts_with(NTLM) || *dn == PACKAGES);
        if let Some(token) = token.or(sicily) {
            binding.proof.challenge(client, token, cx);
        }
        let goes_on = match answer.code {
            result_code::SASL_BIND_IN_PROGRESS => true,
            result_code::SUCCESS => binding.preliminary || sicily.is_some(),
            _ => false,
        };
        if goes_on {
            if binding.answered {
                // One more answer without a request between: that was not seen.
                binding.rounds = binding.rounds.saturating_add(1);
            }
            binding.answered = true;
            binding.deadline = cx.time + cx.limits.answer_wait;
            self.under_way = Some(binding);
        } else {
            if sicily.is_some() {
                answer.matched_dn = &[];
            }
            if binding.answered {
                binding.rounds = binding.rounds.saturating_add(1);
            }
            self.under_way = Some(binding);
            self.end(Some(&answer), None, cx);
        }
        true
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let binding = self.under_way.as_ref()?;
        let token = match &binding.proof {
            Proof::Tokens(handshake) => handshake.deadline(),
            Proof::Named(_) => None,
        };
        token.into_iter().chain([binding.deadline]).min()
    }

    pub(super) fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        let Some(binding) = &mut self.under_way else {
            return;
        };
        if let Proof::Tokens(handshake) = &mut binding.proof {
            handshake.expire(now, cx);
        }
        if binding.deadline <= now {
            let moment = Moment {
                time: binding.deadline,
                ..binding.asked.moment
            };
            self.end(None, Some(moment), cx);
        }
    }

    pub(super) fn close(&mut self, cx: &mut Context<'_>) {
        self.end(None, None, cx);
    }

    /// Emits the bind under way.
    fn end(&mut self, answer: Option<&Answer<'_>>, moment: Option<Moment>, cx: &mut Context<'_>) {
        let Some(mut binding) = self.under_way.take() else {
            return;
        };
        let outcome = answer.map_or(Outcome::Unknown, |answer| result::outcome(answer.code, 0));
        match &mut binding.proof {
            Proof::Tokens(handshake) => {
                if outcome == Outcome::Success {
                    handshake.end(Ending::Accepted, cx);
                } else if let Some(answer) = answer {
                    let status = Status::Ldap(answer.code);
                    handshake.end(Ending::Refused(Some(status)), cx);
                }
                handshake.close(cx);
            }
            Proof::Named(credentials) => {
                Arc::make_mut(credentials).proven = outcome == Outcome::Success;
            }
        }
        let credentials = match &binding.proof {
            Proof::Tokens(handshake) => handshake.credentials(),
            Proof::Named(credentials) => credentials,
        };
        // One that fails leaves nobody (RFC 4511 4.2.1).
        self.credentials = (outcome == Outcome::Success).then(|| Arc::clone(credentials));
        self.sasl |= binding.request.as_ref().is_none_or(|request| {
            matches!(
                request.authentication,
                Authentication::Sasl(_) | Authentication::Sicily
            )
        });
        let bind = Operation::Bind(Bind {
            request: binding.request,
            rounds: binding.rounds,
        });
        let asked = binding.asked;
        let moment = moment.unwrap_or_else(|| cx.moment());
        let client = asked.client;
        let kind = asked.told(bind, answer.map(Answer::result));
        cx.emit(moment, client, Draft::new(kind, outcome).by(credentials));
    }
}
