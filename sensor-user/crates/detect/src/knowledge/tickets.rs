//! The ticket registry: who a ticket belongs to, who issued it, and when.
//!
//! Tickets are known by their sealed part, which looks the same wherever they are carried. A KDC
//! names the client when it issues one (RFC 4120 5.4.2), unless FAST hides it; then the client is
//! the owner of the ticket that was presented to get it.

use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::kerberos::{
    Answer, OPTION_CNAME_IN_ADDL_TKT, OPTION_FORWARDED, OPTION_PROXY, OPTION_RENEW, TgsRequest,
    Ticket, padata,
};
use goshawk_model::{Account, Activity, Digest, Kind, Timestamp};
use serde::{Deserialize, Serialize};

use crate::table::{Table, TableStats};

/// Tickets remembered: a day's worth of a domain of some ten thousand machines.
const TICKETS: usize = 262_144;

/// A ticket lives ten hours and may be renewed for seven days; beyond it, nobody presents it.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// What is known of one ticket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TicketFact {
    /// Whose it is; `None` when FAST hid that all along.
    pub(crate) owner: Option<Account>,
    /// The machine that asked for it.
    pub(crate) asked_from: IpAddr,
    /// Whether a ticket without a PAC was asked for, which few need.
    #[serde(default)]
    pub(crate) without_pac: bool,
    /// The KDC that issued it.
    pub(crate) issuer: IpAddr,
    /// Whether a second machine handed out the same ticket: one of them relays for the other.
    #[serde(default)]
    pub(crate) relayed: bool,
    /// Whether it was asked for to be handed on (`FORWARDED`, `PROXY`): others present it by design.
    #[serde(default)]
    pub(crate) forwarded: bool,
    /// When it was issued.
    #[serde(default)]
    pub(crate) issued: Timestamp,
    /// The service it is for, in the wire's case.
    pub(crate) service: Box<str>,
    /// Whether it was asked for to live as long as may be.
    #[serde(default)]
    pub(crate) unlimited: bool,
    /// The logon that it goes back to, where it was renewed since.
    #[serde(default)]
    login: Option<Box<Login>>,
}

/// The first of a chain of renewals (RFC 4120 3.3.3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Login {
    ticket: Digest,
    asked_from: IpAddr,
}

impl TicketFact {
    /// The ticket that a chain of renewals began with; `own` is this one.
    pub(crate) fn login(&self, own: Digest) -> Digest {
        self.login.as_ref().map_or(own, |login| login.ticket)
    }

    /// The machine that logged on with it, or with the one it was renewed from.
    pub(crate) fn home(&self) -> IpAddr {
        let login = self.login.as_ref();
        login.map_or(self.asked_from, |login| login.asked_from)
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Tickets(Table<Digest, TicketFact, TICKETS>);

impl Tickets {
    pub(crate) fn get(&self, ticket: &Ticket) -> Option<&TicketFact> {
        self.0.get(&ticket.id)
    }

    pub(super) fn learn(&mut self, activity: &Activity, now: Timestamp) {
        let answer = match &activity.kind {
            Kind::As(exchange) => &exchange.answer,
            Kind::Tgs(exchange) => &exchange.answer,
            _ => return,
        };
        let Answer::Issued { ticket, .. } = answer else {
            return;
        };
        let issuer = activity.server.ip;
        if let Some(known) = self.0.get_mut(&ticket.id) {
            // Whoever is seen first with it made it; a relay comes after.
            known.relayed |= known.issuer != issuer;
            return;
        }
        let fact = TicketFact {
            owner: self.owner(&activity.kind).cloned(),
            asked_from: activity.client.ip,
            without_pac: asked_without_pac(&activity.kind),
            issuer,
            relayed: false,
            forwarded: is_forwarded(&activity.kind),
            issued: now,
            service: ticket.service.clone(),
            unlimited: is_unlimited(&activity.kind, now),
            login: self.renewed(&activity.kind),
        };
        self.0.touch(ticket.id, now, || fact);
    }

    /// The logon that a renewed ticket goes back to.
    fn renewed(&self, kind: &Kind) -> Option<Box<Login>> {
        let Kind::Tgs(exchange) = kind else {
            return None;
        };
        let request = exchange.request.as_ref().filter(|it| is_renewal(it))?;
        let before = request.presented.as_ref()?;
        let fact = self.get(before)?;
        Some(fact.login.clone().unwrap_or_else(|| {
            Box::new(Login {
                ticket: before.id,
                asked_from: fact.asked_from,
            })
        }))
    }

    /// Whose the ticket is that was just issued.
    fn owner<'a>(&'a self, kind: &'a Kind) -> Option<&'a Account> {
        match kind {
            Kind::As(exchange) => named(exchange.client.as_ref()),
            Kind::Tgs(exchange) => named(exchange.client.as_ref()).or_else(|| {
                let request = exchange.request.as_ref()?;
                if on_behalf(request) {
                    return None;
                }
                self.get(request.presented.as_ref()?)?.owner.as_ref()
            }),
            _ => None,
        }
    }

    /// When the latest ticket was issued that had to be forgotten for want of room.
    pub(super) fn forgot(&self) -> Option<Timestamp> {
        self.0.forgot()
    }

    pub(super) fn expire(&mut self, now: Timestamp) {
        self.0.expire(now - LIFETIME);
    }

    pub(super) fn stats(&self) -> TableStats {
        self.0.stats()
    }
}

/// Whether the ticket presented is to be made good for longer.
pub(super) fn is_renewal(request: &TgsRequest) -> bool {
    request.kdc_options & OPTION_RENEW != 0
}

/// Whether a ticket is asked for that others may present.
fn is_forwarded(kind: &Kind) -> bool {
    let options = match kind {
        Kind::Tgs(exchange) => exchange.request.as_ref().map(|asked| asked.kdc_options),
        _ => None,
    };
    options.is_some_and(|options| options & (OPTION_FORWARDED | OPTION_PROXY) != 0)
}

/// Whether a ticket is asked for to live beyond what any policy gives.
fn is_unlimited(kind: &Kind, now: Timestamp) -> bool {
    let till = match kind {
        Kind::As(exchange) => exchange.request.as_ref().and_then(|asked| asked.till),
        _ => None,
    };
    till.is_some_and(|till| till > now + LIFETIME)
}

fn asked_without_pac(kind: &Kind) -> bool {
    let Kind::As(exchange) = kind else {
        return false;
    };
    let request = exchange.request.as_ref();
    request.is_some_and(|request| request.data.include_pac == Some(false))
}

/// Whether the ticket asked for names somebody else than the asker: S4U2self, S4U2proxy
/// ([MS-SFU] 2.2.1 to 2.2.3).
pub(crate) fn on_behalf(request: &TgsRequest) -> bool {
    request.kdc_options & OPTION_CNAME_IN_ADDL_TKT != 0
        || request
            .padata
            .iter()
            .any(|&kind| matches!(kind, padata::FOR_USER | padata::S4U_X509_USER))
}

/// The account, unless it is the stand-in for everybody (RFC 8062 3).
pub(super) fn named(account: Option<&Account>) -> Option<&Account> {
    account.filter(|account| account.name() != "wellknown/anonymous")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{Net, at, ip, tgt, ticket};

    #[test]
    fn an_owner_is_known_through_the_ticket_presented() {
        let net = Net::default();
        let mut tickets = Tickets::default();
        tickets.learn(&net.logon("alice", "10.0.0.7", "tgt-1"), at(1));
        let hidden = net.hidden_service("10.0.0.7", "tgt-1", "ldap/dc1.corp.example", "st-1");
        tickets.learn(&hidden, at(2));
        let fact = tickets.get(&ticket("ldap/dc1", "st-1")).expect("known");
        assert_eq!(fact.owner, Some(Account::new("alice", "corp.example")));
        assert_eq!(fact.issuer, ip("10.0.0.1"));
    }

    #[test]
    fn a_relay_is_not_an_issuer() {
        let net = Net::default();
        let mut tickets = Tickets::default();
        let logon = net.logon("alice", "10.0.0.7", "tgt-1");
        tickets.learn(&logon, at(1));
        let mut relayed = logon;
        relayed.server.ip = ip("10.0.0.66");
        tickets.learn(&relayed, at(1));
        let fact = tickets.get(&tgt("tgt-1")).expect("known");
        assert!(fact.relayed && fact.issuer == ip("10.0.0.1"));
    }

    #[test]
    fn holds_no_more_than_its_limit() {
        let net = Net::default();
        let mut tickets = Tickets::default();
        for n in 0..=TICKETS {
            tickets.learn(&net.logon("alice", "10.0.0.7", &n.to_string()), at(1));
        }
        assert_eq!(tickets.stats().len, TICKETS);
        assert_eq!(tickets.stats().evicted, 1);
        assert!(tickets.get(&tgt("0")).is_none());
    }
}
