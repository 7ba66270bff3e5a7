//! Abuse of delegation: tickets asked for in somebody else's name.
//!
//! A service may ask for a ticket to itself in any user's name (S4U2self), and with a user's ticket
//! to itself for one to another service (S4U2proxy), where it is allowed to ([MS-SFU] 3.2.5). That
//! is daily business of web front ends. What is not: to ask for krbtgt ([`krbtgt`]), an account that
//! was added an hour ago ([`new_computer`]), a computer's account in a tool's hands ([`rbcd`]), a
//! user's ticket that no controller issued ([`bronze_bit`]), an account that is called like a
//! controller ([`sam_name`]).

pub(super) mod bronze_bit;
pub(super) mod krbtgt;
pub(super) mod new_computer;
pub(super) mod rbcd;
pub(super) mod sam_name;

use goshawk_model::kerberos::{Answer, OPTION_CNAME_IN_ADDL_TKT, TgsExchange, TgsRequest, Ticket};
use goshawk_model::{Account, Activity, Kind, Party};

use super::asker::Asker;
use super::{evidence, services::Service, shown_without_key};
use crate::campaign::Event;
use crate::scene::Scene;

/// A request in somebody else's name.
struct S4u<'a> {
    exchange: &'a TgsExchange,
    request: &'a TgsRequest,
    kind: S4uKind<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum S4uKind<'a> {
    /// S4U2self: in whose name, where it is readable.
    Own(Option<&'a Account>),
    /// S4U2proxy: with which ticket of the user's.
    Proxy(&'a Ticket),
}

impl<'a> S4u<'a> {
    /// The request that `activity` is, unless it is an ordinary one. A machine that runs services under
    /// a delegated managed account asks for that account's own ticket in the same words.
    fn of(activity: &'a Activity) -> Option<Self> {
        let Kind::Tgs(exchange) = &activity.kind else {
            return None;
        };
        let request = exchange.request.as_ref()?;
        let by_either = request.data.s4u_x509_user.as_ref();
        if by_either.is_some_and(|it| it.is_managed_account()) {
            return None;
        }
        let kind = if request.kdc_options & OPTION_CNAME_IN_ADDL_TKT != 0 {
            S4uKind::Proxy(request.additional.first()?)
        } else if request.data.for_user.is_some() || by_either.is_some() {
            let by_name = request.data.for_user.as_ref().map(|it| &it.user);
            S4uKind::Own(by_name.or_else(|| by_either?.user.as_ref()))
        } else {
            return None;
        };
        Some(Self {
            exchange,
            request,
            kind,
        })
    }

    fn service(&self) -> Service<'a> {
        Service::new(self.exchange.service.as_deref().unwrap_or_default())
    }

    fn granted(&self) -> bool {
        matches!(self.exchange.answer, Answer::Issued { .. })
    }

    /// Whether the KDC doubted who asks.
    fn doubted(&self) -> bool {
        matches!(self.exchange.answer, Answer::Refused(code) if shown_without_key(code))
    }

    /// Who asks: the owner of the ticket that was presented.
    fn asker(&self, activity: &Activity, scene: &Scene<'_>) -> Asker {
        Asker {
            ip: activity.client.ip,
            account: scene.knowledge.asker(activity).cloned(),
        }
    }

    fn source(&self, activity: &Activity, asker: &Asker, scene: &Scene<'_>) -> Party {
        Party {
            account: asker.account.clone().filter(|_| !self.doubted()),
            ..scene.machine(&activity.client)
        }
    }

    fn event(&self, activity: &Activity, scene: &Scene<'_>) -> Event {
        Event {
            at: scene.at,
            evidence: evidence(activity, self.detail()),
            target: Some(Party {
                account: Some(self.service().account()),
                ..Party::default()
            }),
        }
    }

    fn detail(&self) -> String {
        let service = self.exchange.service.as_deref().unwrap_or("a service");
        let answer = &self.exchange.answer;
        match self.kind {
            S4uKind::Own(Some(user)) => {
                format!("S4U2self: a ticket of {user} for {service} was asked for; {answer}")
            }
            S4uKind::Own(None) => {
                format!("S4U2self: somebody's ticket for {service} was asked for; {answer}")
            }
            S4uKind::Proxy(evidence) => format!(
                "S4U2proxy: with a ticket for {}, one for {service} was asked for; {answer}",
                evidence.service
            ),
        }
    }
}

/// How requests ended, for a sentence.
fn ending(granted: u64) -> &'static str {
    match granted {
        0 => " None was granted, as far as was seen; the attempt shows the intent.",
        _ => " The controller granted it.",
    }
}
