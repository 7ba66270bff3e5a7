//! What one request for a service ticket says, in points.

use goshawk_model::Account;
use goshawk_model::kerberos::{
    Answer, AsExchange, OPTION_ENC_TKT_IN_SKEY, TgsExchange, TgsRequest, error,
};
use serde::{Deserialize, Serialize};

use super::super::services::Service;
use super::super::{is_rc4, is_rc4_only, proves_identity};
use super::THRESHOLD;
use crate::knowledge::on_behalf;
use crate::scene::Scene;

/// `KRB_AP_ERR_TKT_EXPIRED` to `KRB_AP_ERR_REPEAT` (RFC 4120 7.5.9).
const TKT_EXPIRED: i32 = 32;
const REPEAT: i32 = 34;
/// `KDC_ERR_MUST_USE_USER2USER` (RFC 4120 7.5.9): no ticket that cracks, and honest clients then ask
/// for the other kind.
const MUST_USE_USER2USER: i32 = 27;

/// Why a request counts; rising with what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Why {
    /// A service of a user's account.
    Service,
    /// RC4 alone offered for a computer's service.
    Rc4OnComputer,
    /// Sealed with RC4 although more was offered.
    Rc4Sealed,
    /// One encryption type alone offered, not RC4.
    Narrow,
    /// RC4 wanted first and not denied: old Java prefers it too, and takes the AES that it is given.
    Rc4First,
    /// The service for changing passwords, which a list of all services holds.
    PasswordChange,
    /// RC4 alone offered.
    Rc4Only,
    /// Named like an account.
    NamedAsUser,
    /// From an AS exchange, without any proof.
    Unproved,
    /// Bait.
    Honeytoken,
}

/// What a request says, and how much; `None` if it is any client's business.
pub(super) fn weigh(
    exchange: &TgsExchange,
    service: Service<'_>,
    asker: Option<&Account>,
    scene: &Scene<'_>,
) -> Option<(Why, u32)> {
    let request = exchange.request.as_ref();
    if service.is_ticket_granting() || request.is_some_and(names_accounts_by_design) {
        return None;
    }
    let share = match &exchange.answer {
        // A referral (RFC 6806 section 8): the ticket is for another realm's KDC and cracks nothing.
        Answer::Issued { ticket, .. } if Service::new(&ticket.service).is_ticket_granting() => {
            return None;
        }
        // Samba refuses impacket's requests for a checksum that is missing, whatever they ask for.
        Answer::Issued { .. }
        | Answer::Unseen
        | Answer::Refused(error::ETYPE_NOSUPP | error::INAPP_CKSUM) => 1,
        // A clock that is wrong, a ticket that is too old: honest clients come again.
        Answer::Refused(
            MUST_USE_USER2USER
            | TKT_EXPIRED..=REPEAT
            | error::AP_SKEW
            | error::RESPONSE_TOO_BIG
            | error::WRONG_REALM,
        ) => return None,
        Answer::Refused(_) => 2,
    };
    // Without the request, user-to-user and S4U cannot be told apart.
    let share = if request.is_none() { 2 * share } else { share };
    let offered = request.map_or(&[][..], |request| &*request.etypes);
    let sealed_with_rc4 =
        matches!(&exchange.answer, Answer::Issued { ticket, .. } if is_rc4(ticket.etype));
    let sealed_better = matches!(exchange.answer, Answer::Issued { .. }) && !sealed_with_rc4;

    let (why, points) = if scene.is_honeytoken(&service.account()) {
        return Some((Why::Honeytoken, THRESHOLD));
    } else if service.belongs_to_computer() {
        if !is_rc4_only(offered) {
            return None;
        }
        (Why::Rc4OnComputer, 2)
    } else if let Some(named) = service.named_account() {
        // One's own account may be named by its user principal name.
        let own = |account| scene.knowledge.canonical(account);
        if asker.is_some_and(|asker| asker.may_be(&named) || own(asker).may_be(&own(&named))) {
            return None;
        }
        (Why::NamedAsUser, THRESHOLD)
    } else if service.is_password_change() {
        (Why::PasswordChange, 8)
    } else if is_rc4_only(offered) {
        (Why::Rc4Only, THRESHOLD)
    } else if offered.first().is_some_and(|&first| is_rc4(first)) && !sealed_better {
        (Why::Rc4First, 6)
    } else if offered.len() == 1 {
        (Why::Narrow, 4)
    } else {
        match (sealed_with_rc4, service.is_web()) {
            (true, false) => (Why::Rc4Sealed, 4),
            (true, true) => (Why::Rc4Sealed, 2),
            (false, false) => (Why::Service, 2),
            (false, true) => (Why::Service, 1),
        }
    };
    Some((why, (points / share).max(1)))
}

/// User-to-user and S4U2self are asked for by the name of an account; S4U2proxy is a service's
/// business on behalf of its user.
fn names_accounts_by_design(request: &TgsRequest) -> bool {
    request.kdc_options & OPTION_ENC_TKT_IN_SKEY != 0 || on_behalf(request)
}

/// The service whose ticket an AS exchange was to give without proof.
pub(super) fn unproved(exchange: &AsExchange) -> Option<Service<'_>> {
    let request = exchange.request.as_ref()?;
    let service = Service::new(exchange.service.as_deref()?);
    let given = matches!(
        exchange.answer,
        Answer::Issued { .. } | Answer::Refused(error::ETYPE_NOSUPP)
    );
    let worth = !service.belongs_to_computer() && !service.is_password_change();
    (given && worth && !proves_identity(&request.padata)).then_some(service)
}

impl Why {
    /// Whether any client may have the same reason, so that number and pace decide.
    pub(super) const fn is_relative(self) -> bool {
        matches!(self, Self::Service | Self::Rc4Sealed | Self::Narrow)
    }

    /// The reason in words.
    pub(super) const fn told(self) -> &'static str {
        match self {
            Self::Service => "a service that a user's account may run",
            Self::Rc4OnComputer => "RC4 alone for a computer's service",
            Self::Rc4Sealed => "a service whose ticket is sealed with RC4",
            Self::Narrow => "one encryption type alone, as clients do not offer",
            Self::Rc4First => "RC4 before AES or without it",
            Self::PasswordChange => "the service for changing passwords",
            Self::Rc4Only => "RC4 alone, which cracks fastest",
            Self::NamedAsUser => "a service named like a user's account, as tools do",
            Self::Unproved => "a service ticket without any logon",
            Self::Honeytoken => "a bait account that nobody should use",
        }
    }
}
