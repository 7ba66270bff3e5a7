//! What was asked, until it is answered.

use std::sync::Arc;

use goshawk_model::kerberos::{
    AsExchange, AsRequest, OPTION_CNAME_IN_ADDL_TKT, PasswordAnswer, PasswordExchange,
    PasswordOperation, TgsExchange, TgsRequest, error, padata,
};
use goshawk_model::{
    Account, Actor, Carrier, Confidence, Credentials, Digest, Kind, Mechanism, Outcome,
};

use super::message::{ApReq, KdcReq};
use super::reply::{Ending, Reply, ReplyKind};
use crate::protocol::{Draft, Question};

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
    Password(PasswordOperation, ApReq),
}

/// Codes of errors that only an AS-REQ is answered with: about the client, its key, or its
/// pre-authentication (RFC 4120 7.5.9, RFC 6113 5.4).
const AS_ERRORS: [i32; 7] = [
    error::C_PRINCIPAL_UNKNOWN,
    error::PADATA_TYPE_NOSUPP,
    error::CLIENT_REVOKED,
    error::KEY_EXPIRED,
    error::PREAUTH_FAILED,
    error::PREAUTH_REQUIRED,
    error::MORE_PREAUTH_DATA_REQUIRED,
];

/// Types of `padata` in an AS-REQ that prove who asks, so that an AS-REP to it means that the
/// client is who it says: encrypted timestamp, SAM response, certificate, encrypted challenge, OTP,
/// SPAKE, and FAST, which hides one of them. Without any, the KDC hands a ticket to anybody.
const PROOFS: [i32; 9] = [
    padata::ENC_TIMESTAMP,
    13,
    padata::PK_AS_REQ_DRAFT,
    padata::PK_AS_REQ_OLD,
    padata::PK_AS_REQ,
    padata::FX_FAST,
    padata::ENCRYPTED_CHALLENGE,
    142,
    padata::SPAKE,
];

impl Question for Asked {
    fn unanswered(self) -> Draft {
        self.ended(Ending::Unseen)
    }
}

impl Asked {
    pub(super) fn initial(asked: KdcReq<'_>, digest: Digest) -> Self {
        let cname = asked.cname.as_ref();
        Self::As {
            client: cname.and_then(|name| name.account(&asked.realm)),
            service: asked.sname.as_ref().map(|name| name.text(&asked.realm)),
            request: AsRequest {
                kdc_options: asked.kdc_options,
                etypes: asked.etypes,
                padata: asked.padata,
                data: asked.data,
                name_type: cname.map_or(0, |name| name.name_type),
                from: asked.from,
                till: asked.till,
                rtime: asked.rtime,
                addresses: asked.addresses,
                netbios_addresses: asked.netbios,
                nonce: asked.nonce,
                digest,
            },
        }
    }

    pub(super) fn further(asked: KdcReq<'_>, digest: Digest) -> Self {
        let presented = asked.presented;
        Self::Tgs {
            service: asked.sname.as_ref().map(|name| name.text(&asked.realm)),
            request: TgsRequest {
                authenticator_etype: presented.as_ref().and_then(|it| it.authenticator_etype),
                presented: presented.map(|it| it.ticket),
                kdc_options: asked.kdc_options,
                etypes: asked.etypes,
                padata: asked.padata,
                data: asked.data,
                name_type: asked.sname.map_or(0, |name| name.name_type),
                enc_authorization_data: asked.enc_authorization_data,
                additional: asked.additional,
                from: asked.from,
                till: asked.till,
                rtime: asked.rtime,
                addresses: asked.addresses,
                nonce: asked.nonce,
                digest,
            },
        }
    }

    /// Whether `reply` can be the answer.
    pub(super) fn fits(&self, reply: &Reply) -> bool {
        match reply.kind {
            ReplyKind::Error => true,
            ReplyKind::As => matches!(self, Self::As { .. }),
            ReplyKind::Tgs => matches!(self, Self::Tgs { .. }),
            ReplyKind::Ap => matches!(self, Self::Ap(_) | Self::Password(..)),
        }
    }

    /// Whether `reply`, which came before it, can be the answer all the same: it must not say what
    /// is no answer to this.
    pub(super) fn fits_early(&self, reply: &Reply) -> bool {
        let is_initial = matches!(self, Self::As { .. });
        self.fits(reply)
            && reply.error().is_none_or(|code| match code {
                error::PREAUTH_REQUIRED => is_initial && !self.has_proof(),
                error::PREAUTH_FAILED => is_initial && self.has_proof(),
                code => is_initial || !AS_ERRORS.contains(&code),
            })
    }

    /// The exchange, ended.
    pub(super) fn ended(self, ending: Ending) -> Draft {
        match self {
            Self::As {
                request,
                client,
                service,
            } => initial(Some(request), client, service, ending),
            Self::Tgs { request, service } => further(Some(request), service, ending),
            Self::Ap(asked) => presented(asked, &ending),
            Self::Password(operation, asked) => password(Some((operation, asked)), &ending),
        }
    }

    fn has_proof(&self) -> bool {
        matches!(self, Self::As { request, .. } if has_proof(request))
    }
}

/// The exchange that an answer without a request belonged to; `None` if it tells too little.
pub(super) fn answer_alone(reply: Reply) -> Option<Draft> {
    if reply.about_password {
        return Some(password(None, &reply.ending));
    }
    match reply.kind {
        ReplyKind::As => Some(initial(None, None, None, reply.ending)),
        ReplyKind::Tgs => Some(further(None, None, reply.ending)),
        ReplyKind::Ap => None,
        ReplyKind::Error => {
            let is_initial = matches!(
                &reply.ending,
                Ending::Refused(it) if it.for_kdc || AS_ERRORS.contains(&it.code)
            );
            let draft = if is_initial {
                initial(None, None, None, reply.ending)
            } else {
                further(None, None, reply.ending)
            };
            Some(Draft {
                // Which kind of request was refused is a guess.
                confidence: Confidence::Medium,
                ..draft
            })
        }
    }
}

fn initial(
    request: Option<AsRequest>,
    asked_for: Option<Account>,
    service: Option<Box<str>>,
    ending: Ending,
) -> Draft {
    let (told, told_service) = told(&ending);
    let client = told.or_else(|| asked_for.clone());
    let proven = request.as_ref().is_some_and(has_proof);
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
    let (answer, answer_data) = ending.answer();
    let exchange = AsExchange {
        request,
        client,
        service: service.or(told_service),
        answer,
        answer_data,
    };
    Draft {
        actor,
        client_name,
        ..Draft::new(Kind::As(Box::new(exchange)), outcome)
    }
}

fn further(request: Option<TgsRequest>, service: Option<Box<str>>, ending: Ending) -> Draft {
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
    let (answer, answer_data) = ending.answer();
    let exchange = TgsExchange {
        request,
        client,
        service: service.or(told_service),
        answer,
        answer_data,
    };
    Draft {
        actor,
        ..Draft::new(Kind::Tgs(Box::new(exchange)), outcome)
    }
}

fn presented(asked: ApReq, ending: &Ending) -> Draft {
    let error = match ending {
        Ending::Refused(refused) => Some(refused.code),
        _ => None,
    };
    let exchange = asked.exchange(Carrier::Kerberos, error);
    Draft::new(Kind::Ap(exchange), outcome(ending))
}

fn password(asked: Option<(PasswordOperation, ApReq)>, ending: &Ending) -> Draft {
    let (operation, ticket) = asked.map(|(what, asked)| (what, asked.ticket)).unzip();
    let (answer, outcome) = match ending {
        Ending::Refused(refused) => {
            let answer = PasswordAnswer::Refused {
                error: refused.code,
                result: refused.password_result,
            };
            (answer, Outcome::Failure)
        }
        // Whether the new password pleased is sealed.
        Ending::Accepted | Ending::Issued(_) => (PasswordAnswer::Sealed, Outcome::Unknown),
        Ending::Unseen => (PasswordAnswer::Unseen, Outcome::Unknown),
    };
    let credentials = ticket.clone().map(|ticket| {
        Arc::new(Credentials {
            ticket: Some(ticket),
            proven: answer == PasswordAnswer::Sealed,
            ..Credentials::new(Mechanism::Kerberos)
        })
    });
    let exchange = PasswordExchange {
        operation,
        ticket,
        answer,
    };
    Draft {
        credentials,
        ..Draft::new(Kind::Password(exchange), outcome)
    }
}

fn has_proof(request: &AsRequest) -> bool {
    request.padata.iter().any(|kind| PROOFS.contains(kind))
}

fn is_delegation(request: &TgsRequest) -> bool {
    request.kdc_options & OPTION_CNAME_IN_ADDL_TKT != 0
        || request
            .padata
            .iter()
            .any(|&padata| padata == padata::FOR_USER || padata == padata::S4U_X509_USER)
}

/// The client and the service that an answer names.
fn told(ending: &Ending) -> (Option<Account>, Option<Box<str>>) {
    match ending {
        Ending::Issued(issued) => (issued.client.clone(), Some(issued.ticket.service.clone())),
        Ending::Refused(refused) => (refused.client.clone(), refused.service.clone()),
        Ending::Accepted | Ending::Unseen => (None, None),
    }
}

fn outcome(ending: &Ending) -> Outcome {
    match ending {
        Ending::Issued(_) | Ending::Accepted => Outcome::Success,
        Ending::Refused(_) => Outcome::Failure,
        Ending::Unseen => Outcome::Unknown,
    }
}
