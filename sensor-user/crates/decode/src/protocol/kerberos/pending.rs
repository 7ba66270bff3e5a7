//! What was asked, until it is answered.

use goshawk_model::kerberos::{
    Answer, AnswerData, AsExchange, AsRequest, TgsExchange, TgsRequest, padata,
};
use goshawk_model::{Account, Actor, Carrier, Confidence, Digest, Kind, Outcome, Timestamp};

use super::message::{ApReq, KdcRep, KdcReq, KrbError, Message};
use crate::flow::Side;
use crate::protocol::{Draft, Moment};

/// A request that waits for its answer; over UDP also one that was answered, so that repetitions
/// of either are known.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) moment: Moment,
    pub(super) deadline: Timestamp,
    pub(super) client: Side,
    /// Of the request's bytes; `None` if only an answer was seen.
    pub(super) digest: Option<Digest>,
    /// `None` once answered.
    pub(super) asked: Option<Asked>,
    /// The answer's identity.
    pub(super) answered: Option<Digest>,
}

/// What a request asked for.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    As {
        request: AsRequest,
        client: Option<Account>,
        service: Option<Box<str>>,
    },
    Tgs {
        request: TgsRequest,
        service: Option<Box<str>>,
    },
    Ap(ApReq),
}

/// How it ended.
pub(super) enum Ending<'a> {
    Issued(KdcRep<'a>),
    /// The service proved itself with an AP-REP.
    Accepted,
    Refused(KrbError<'a>),
    Unseen,
}

/// Codes of errors that only an AS-REQ is answered with: about the client, its key, or its
/// pre-authentication (RFC 4120 7.5.9, RFC 6113 5.4).
const AS_ERRORS: [i32; 7] = [6, 16, 18, 23, 24, 25, 91];

/// Types of `padata` in an AS-REQ that prove who asks, so that an AS-REP to it means that the
/// client is who it says: encrypted timestamp, SAM response, certificate, encrypted challenge, OTP,
/// SPAKE, and FAST, which hides one of them. Without any, the KDC hands a ticket to anybody.
const PROOFS: [i32; 9] = [
    padata::ENC_TIMESTAMP,
    13,
    14,
    padata::PK_AS_REQ_OLD,
    padata::PK_AS_REQ,
    padata::FX_FAST,
    padata::ENCRYPTED_CHALLENGE,
    142,
    padata::SPAKE,
];

impl Pending {
    /// Whether the request itself was seen.
    pub(super) fn is_request(&self) -> bool {
        self.digest.is_some()
    }
}

impl Asked {
    pub(super) fn initial(asked: KdcReq<'_>, digest: Digest) -> Self {
        Self::As {
            client: asked
                .cname
                .as_ref()
                .and_then(|name| name.account(&asked.realm)),
            service: asked.sname.as_ref().map(|name| name.text(&asked.realm)),
            request: AsRequest {
                kdc_options: asked.kdc_options,
                etypes: asked.etypes,
                padata: asked.padata,
                netbios_addresses: asked.netbios,
                nonce: asked.nonce,
                digest,
                ..AsRequest::default()
            },
        }
    }

    pub(super) fn further(asked: KdcReq<'_>, digest: Digest) -> Self {
        Self::Tgs {
            service: asked.sname.as_ref().map(|name| name.text(&asked.realm)),
            request: TgsRequest {
                authenticator_etype: asked
                    .presented
                    .as_ref()
                    .and_then(|it| it.authenticator_etype),
                presented: asked.presented.map(|it| it.ticket),
                kdc_options: asked.kdc_options,
                etypes: asked.etypes,
                padata: asked.padata,
                name_type: asked.sname.map_or(0, |name| name.name_type),
                additional: asked.additional,
                nonce: asked.nonce,
                digest,
                ..TgsRequest::default()
            },
        }
    }

    /// Whether `reply` can be the answer.
    pub(super) fn fits(&self, reply: &Message<'_>) -> bool {
        match reply {
            Message::Error(_) => true,
            Message::AsRep(_) => matches!(self, Self::As { .. }),
            Message::TgsRep(_) => matches!(self, Self::Tgs { .. }),
            Message::ApRep => matches!(self, Self::Ap(_)),
            Message::AsReq(_) | Message::TgsReq(_) | Message::ApReq(_) => false,
        }
    }

    /// The exchange, ended.
    pub(super) fn ended(self, ending: Ending<'_>) -> Draft {
        match self {
            Self::As {
                request,
                client,
                service,
            } => initial(Some(request), client, service, ending),
            Self::Tgs { request, service } => further(Some(request), service, ending),
            Self::Ap(asked) => presented(asked, &ending),
        }
    }
}

/// The exchange that an answer without a request belonged to; `None` if it tells too little.
pub(super) fn answer_alone(reply: Message<'_>) -> Option<Draft> {
    match reply {
        Message::AsRep(reply) => Some(initial(None, None, None, Ending::Issued(reply))),
        Message::TgsRep(reply) => Some(further(None, None, Ending::Issued(reply))),
        Message::Error(error) => {
            let for_tgt = error.sname.as_ref().is_some_and(|name| {
                name.components
                    .first()
                    .is_some_and(|class| class.eq_ignore_ascii_case("krbtgt"))
            });
            let draft = if for_tgt || AS_ERRORS.contains(&error.code) {
                initial(None, None, None, Ending::Refused(error))
            } else {
                further(None, None, Ending::Refused(error))
            };
            Some(Draft {
                // Which kind of request was refused is a guess.
                confidence: Confidence::Medium,
                ..draft
            })
        }
        _ => None,
    }
}

fn initial(
    request: Option<AsRequest>,
    asked_for: Option<Account>,
    service: Option<Box<str>>,
    ending: Ending<'_>,
) -> Draft {
    let (told, told_service) = told(&ending);
    let client = told.or_else(|| asked_for.clone());
    let proven = request
        .as_ref()
        .is_some_and(|request| request.padata.iter().any(|padata| PROOFS.contains(padata)));
    let actor = client.clone().map(|account| Actor {
        // The KDC may have resolved an alias or another form of the name (RFC 6806).
        aliases: asked_for
            .filter(|asked_for| *asked_for != account)
            .map(|asked_for| asked_for.as_str().into())
            .into_iter()
            .collect(),
        account,
        authenticated: proven && matches!(ending, Ending::Issued(_)),
    });
    let client_name = request
        .as_ref()
        .and_then(|request| request.netbios_addresses.first())
        .map(|name| name.to_lowercase().into());
    let outcome = outcome(&ending);
    let exchange = AsExchange {
        request,
        client,
        service: service.or(told_service),
        answer: answer(ending),
        answer_data: AnswerData::default(),
    };
    Draft {
        actor,
        client_name,
        ..Draft::new(Kind::As(exchange), outcome)
    }
}

fn further(request: Option<TgsRequest>, service: Option<Box<str>>, ending: Ending<'_>) -> Draft {
    let (told, told_service) = told(&ending);
    let client = told.filter(|_| matches!(ending, Ending::Issued(_)));
    // With S4U the ticket names the one impersonated, not the one who asks ([MS-SFU] 3.2.5).
    let delegated = request.as_ref().is_some_and(is_delegation);
    let actor = client.clone().filter(|_| !delegated).map(|account| Actor {
        account,
        aliases: Vec::new(),
        authenticated: true,
    });
    let outcome = outcome(&ending);
    let exchange = TgsExchange {
        request,
        client,
        service: service.or(told_service),
        answer: answer(ending),
        answer_data: AnswerData::default(),
    };
    Draft {
        actor,
        ..Draft::new(Kind::Tgs(exchange), outcome)
    }
}

fn presented(asked: ApReq, ending: &Ending<'_>) -> Draft {
    let error = match ending {
        Ending::Refused(error) => Some(error.code),
        _ => None,
    };
    let exchange = asked.exchange(Carrier::Kerberos, error);
    Draft::new(Kind::Ap(exchange), outcome(ending))
}

fn is_delegation(request: &TgsRequest) -> bool {
    use goshawk_model::kerberos::OPTION_CNAME_IN_ADDL_TKT;
    request.kdc_options & OPTION_CNAME_IN_ADDL_TKT != 0
        || request
            .padata
            .iter()
            .any(|&padata| padata == padata::FOR_USER || padata == padata::S4U_X509_USER)
}

/// The client and the service that an answer names.
fn told(ending: &Ending<'_>) -> (Option<Account>, Option<Box<str>>) {
    match ending {
        Ending::Issued(reply) => (
            reply.cname.account(&reply.crealm),
            Some(reply.ticket.service.clone()),
        ),
        Ending::Refused(error) => (
            error.cname.as_ref().and_then(|name| {
                let realm = error.crealm.as_ref().unwrap_or(&error.realm);
                name.account(realm)
            }),
            error.sname.as_ref().map(|name| name.text(&error.realm)),
        ),
        Ending::Accepted | Ending::Unseen => (None, None),
    }
}

fn outcome(ending: &Ending<'_>) -> Outcome {
    match ending {
        Ending::Issued(_) | Ending::Accepted => Outcome::Success,
        Ending::Refused(_) => Outcome::Failure,
        Ending::Unseen => Outcome::Unknown,
    }
}

fn answer(ending: Ending<'_>) -> Answer {
    match ending {
        Ending::Issued(reply) => Answer::Issued {
            ticket: reply.ticket,
            reply_etype: reply.etype,
        },
        Ending::Refused(error) => Answer::Refused(error.code),
        Ending::Accepted | Ending::Unseen => Answer::Unseen,
    }
}
