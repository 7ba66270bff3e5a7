//! Answers, free of the packet they came in.

use goshawk_model::Account;
use goshawk_model::kerberos::{Answer, AnswerData, Ticket, error};

use super::field::PrincipalName;
use super::message::{KdcRep, KrbError, Message};
use super::{field, kpasswd, padata};

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    /// Of which kind.
    pub(super) kind: ReplyKind,
    /// Whether it is of the change-password service.
    pub(super) about_password: bool,
    pub(super) ending: Ending,
}

/// The kinds of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReplyKind {
    As,
    Tgs,
    Ap,
    /// A KRB-ERROR answers anything.
    Error,
}

/// How an exchange ended.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    Issued(Issued),
    /// The service proved itself with an AP-REP.
    Accepted,
    Refused(Box<Refused>),
    Unseen,
}

/// What an AS-REP or TGS-REP tells.
#[derive(Clone, Debug)]
pub(super) struct Issued {
    pub(super) client: Option<Account>,
    pub(super) ticket: Ticket,
    pub(super) reply_etype: i32,
    pub(super) data: AnswerData,
}

/// What a KRB-ERROR tells.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub(super) code: i32,
    pub(super) client: Option<Account>,
    pub(super) service: Option<Box<str>>,
    /// Whether that is a KDC itself, which first tickets are for.
    pub(super) for_kdc: bool,
    pub(super) data: AnswerData,
    /// What the change-password service says.
    pub(super) password_result: Option<u16>,
}

impl Reply {
    /// What `message` answers; `None` if it is no answer.
    pub(super) fn new(message: Message<'_>, about_password: bool) -> Option<Self> {
        let (kind, ending) = match message {
            Message::AsRep(reply) => (ReplyKind::As, Ending::Issued(issued(reply))),
            Message::TgsRep(reply) => (ReplyKind::Tgs, Ending::Issued(issued(reply))),
            Message::ApRep => (ReplyKind::Ap, Ending::Accepted),
            Message::Error(error) => {
                let refused = Box::new(refused(&error));
                (ReplyKind::Error, Ending::Refused(refused))
            }
            Message::AsReq(_) | Message::TgsReq(_) | Message::ApReq(_) | Message::Plain => {
                return None;
            }
        };
        Some(Self {
            kind,
            about_password,
            ending,
        })
    }

    /// The error's code, if it is one.
    pub(super) fn error(&self) -> Option<i32> {
        match &self.ending {
            Ending::Refused(refused) => Some(refused.code),
            _ => None,
        }
    }
}

impl Ending {
    /// How a KDC answered, and what it told beside.
    pub(super) fn answer(self) -> (Answer, AnswerData) {
        match self {
            Self::Issued(issued) => {
                let answer = Answer::Issued {
                    ticket: issued.ticket,
                    reply_etype: issued.reply_etype,
                };
                (answer, issued.data)
            }
            Self::Refused(refused) => (Answer::Refused(refused.code), refused.data),
            Self::Accepted | Self::Unseen => (Answer::Unseen, AnswerData::default()),
        }
    }
}

fn issued(reply: KdcRep<'_>) -> Issued {
    Issued {
        client: reply.cname.account(&reply.crealm),
        ticket: reply.ticket,
        reply_etype: reply.etype,
        data: padata::of_reply(reply.padata),
    }
}

fn refused(error: &KrbError<'_>) -> Refused {
    let realm = error.crealm.as_ref().unwrap_or(&error.realm);
    let mut data = error.e_data.map(padata::of_error).unwrap_or_default();
    if error.code == error::WRONG_REALM {
        data.referred_realm = error.crealm.as_ref().map(|it| field::cut(it).into());
    }
    Refused {
        code: error.code,
        client: error.cname.as_ref().and_then(|name| name.account(realm)),
        service: error.sname.as_ref().map(|name| name.text(&error.realm)),
        for_kdc: error.sname.as_ref().is_some_and(PrincipalName::is_kdc),
        data,
        password_result: error.e_data.and_then(kpasswd::result),
    }
}
