//! Binds (RFC 4511 4.2, [MS-ADTS] 5.1.1.1): who a client says it is, how it proves that, and what
//! the server says to it. SASL and Sicily take several rounds; they are one activity.

mod request;

use std::sync::Arc;

use goshawk_model::ldap::{Authentication, Bind, BindRequest, Operation, result_code};
use goshawk_model::{Carrier, Credentials, Outcome, Timestamp};

use self::request::{Proof, Shown};
use super::asked::Asked;
use super::ber::Ber;
use super::result::{self, Answer};
use crate::protocol::security::Handshake;
use crate::protocol::{Context, Draft, Few, Moment};
use crate::stats::Drop;

/// `serverSaslCreds`
const SERVER_SASL_CREDS: u8 = 0x87;
/// What a server that speaks Sicily answers to the question for its packages: their names.
const PACKAGES: &[u8] = b"NTLM";
const NTLM: &[u8] = b"NTLMSSP\0";

/// The binds of one connection.
#[derive(Debug, Default)]
pub(super) struct Binds {
    /// Those under way: one, as a rule, but with fast bind ([MS-ADTS] 3.1.1.3.4.2.1) a client may
    /// try many passwords at once.
    under_way: Few<Binding>,
    /// What the last one left.
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
    /// What the connection has authenticated with; before the server has said so, or where that is
    /// not seen, what its client claims.
    pub(super) fn credentials(&self) -> Option<&Arc<Credentials>> {
        match self.under_way.back() {
            Some(binding) => Some(binding.proof.credentials()),
            None => self.credentials.as_ref(),
        }
    }

    /// Whether it did so by SASL.
    pub(super) fn is_sasl(&self) -> bool {
        self.sasl
    }

    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// A client binds; whether that was understood.
    pub(super) fn ask(&mut self, asked: Asked, body: Ber<'_>, cx: &mut Context<'_>) -> bool {
        let Some((request, shown)) = request::read(body) else {
            return false;
        };
        let client = asked.client;
        let goes_on = |binding: &Binding| {
            let begun = binding.request.as_ref().map(|it| &it.authentication);
            binding.asked.client == client && shown.continues(begun, binding.answered)
        };
        let deadline = cx.time + cx.limits.answer_wait;
        let begun = self.under_way.iter().position(goes_on);
        let mut binding = match begun.and_then(|index| self.under_way.remove(index)) {
            Some(begun) => Binding {
                asked: Asked {
                    bytes: begun.asked.bytes.saturating_add(asked.bytes),
                    response_bytes: begun.asked.response_bytes,
                    controls: begun.asked.controls,
                    ..asked
                },
                deadline,
                request: begun.request.or(Some(request)),
                rounds: begun.rounds.saturating_add(1),
                answered: false,
                ..begun
            },
            None => {
                self.make_room(cx);
                Binding {
                    asked,
                    deadline,
                    proof: Proof::of(&request),
                    request: Some(request),
                    rounds: 1,
                    answered: false,
                    preliminary: false,
                }
            }
        };
        binding.preliminary = matches!(shown, Shown::Sicily { last: false, .. });
        binding.proof.show(client, &shown, cx);
        self.under_way.push_back(binding);
        true
    }

    /// The server answers; whether that was understood.
    pub(super) fn answer(&mut self, answered: Asked, body: Ber<'_>, cx: &mut Context<'_>) -> bool {
        let Some(mut answer) = result::read(body) else {
            return false;
        };
        let client = answered.client;
        let is_answered = |binding: &Binding| {
            binding.asked.client == client
                && (binding.asked.id == answered.id || binding.request.is_none())
        };
        let begun = self.under_way.iter().position(is_answered);
        let mut binding = match begun.and_then(|index| self.under_way.remove(index)) {
            Some(mut begun) => {
                begun.asked.response_bytes += answered.response_bytes;
                // One more answer without a request between: that was not seen.
                begun.rounds = begun.rounds.saturating_add(u32::from(begun.answered));
                begun
            }
            // Only the answer was seen.
            None => Binding {
                asked: answered,
                deadline: cx.time,
                request: None,
                rounds: 1,
                answered: false,
                preliminary: false,
                proof: Proof::Tokens(Handshake::new(Carrier::Ldap)),
            },
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
            binding.answered = true;
            binding.deadline = cx.time + cx.limits.answer_wait;
            self.under_way.push_back(binding);
        } else {
            if sicily.is_some() {
                answer.matched_dn = &[];
            }
            self.end(binding, Some(&answer), None, cx);
        }
        true
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.under_way.iter().map(Binding::deadline).min()
    }

    pub(super) fn expire(&mut self, now: Timestamp, cx: &mut Context<'_>) {
        for binding in self.under_way.iter_mut() {
            if let Proof::Tokens(handshake) = &mut binding.proof {
                handshake.expire(now, cx);
            }
        }
        let is_due = |binding: &Binding| binding.deadline <= now;
        while let Some(index) = self.under_way.iter().position(is_due)
            && let Some(binding) = self.under_way.remove(index)
        {
            let moment = Moment {
                time: binding.deadline,
                ..binding.asked.moment
            };
            self.end(binding, None, Some(moment), cx);
        }
    }

    pub(super) fn close(&mut self, cx: &mut Context<'_>) {
        for binding in std::mem::take(&mut self.under_way) {
            self.end(binding, None, None, cx);
        }
    }

    /// Ends what a new bind ends (RFC 4511 4.2.1): one whose turn the client leaves out. If there
    /// are too many, the oldest goes.
    fn make_room(&mut self, cx: &mut Context<'_>) {
        let left_out = self.under_way.iter().position(|binding| binding.answered);
        let ended = if let Some(index) = left_out {
            self.under_way.remove(index)
        } else if self.under_way.len() >= cx.limits.max_pending {
            cx.stats.drop(Drop::PendingEvicted);
            self.under_way.pop_front()
        } else {
            None
        };
        if let Some(binding) = ended {
            self.end(binding, None, None, cx);
        }
    }

    /// Emits a bind that is over.
    fn end(
        &mut self,
        mut binding: Binding,
        answer: Option<&Answer<'_>>,
        moment: Option<Moment>,
        cx: &mut Context<'_>,
    ) {
        let outcome = answer.map_or(Outcome::Unknown, |answer| result::outcome(answer.code, 0));
        binding.proof.settle(answer.map(|answer| answer.code), cx);
        let credentials = binding.proof.credentials();
        // One that fails leaves nobody (RFC 4511 4.2.1).
        self.credentials = (outcome != Outcome::Failure).then(|| Arc::clone(credentials));
        self.sasl |= binding.may_bring_layer();
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

impl Binding {
    fn deadline(&self) -> Timestamp {
        let token = self.proof.deadline();
        token.map_or(self.deadline, |token| token.min(self.deadline))
    }

    /// Whether a security layer may follow.
    fn may_bring_layer(&self) -> bool {
        self.request.as_ref().is_none_or(|request| {
            matches!(
                request.authentication,
                Authentication::Sasl(_) | Authentication::Sicily
            )
        })
    }
}
