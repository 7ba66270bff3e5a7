//! Which machines are domain controllers, and how we know.
//!
//! Much that is an attack from a workstation is daily business between controllers. An attacker
//! can answer on port 88 as well, so what was merely *seen* acting as a controller exempts nobody.
//! What exempts is a **proof**: a controller that is trusted already accepted a ticket that the
//! other one issued. Only a holder of the domain's keys can make such a ticket, and who holds them
//! has no need to ask for them.

use std::net::IpAddr;

use goshawk_model::kerberos::{Answer, PasswordAnswer, Ticket};
use goshawk_model::rpc::DRSUAPI;
use goshawk_model::{Activity, Confidence, Kind, Outcome, Timestamp};
use serde::{Deserialize, Serialize};

use super::Tickets;
use crate::detections::services::Service;
use crate::settings::Settings;
use crate::table::{Table, TableStats};

/// Proven controllers remembered, more than any domain has.
const PROVEN: usize = 1_024;
/// Machines remembered that acted as controllers. A table of its own, so that a flood of machines
/// that pretend cannot drive out those that have proof.
const SEEN: usize = 4_096;

/// How sure it is that a machine is a domain controller; rising.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Nothing speaks for it.
    Unknown,
    /// It was seen issuing tickets or serving replication.
    Seen,
    /// A trusted controller accepted a ticket it issued.
    Proven,
    /// It is this machine, and this machine is a controller.
    Own,
    /// The administrator says so.
    Configured,
}

impl Standing {
    /// Whether what it does may be taken for a controller's business.
    pub(crate) fn is_trusted(self) -> bool {
        self >= Self::Proven
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Controllers {
    proven: Table<IpAddr, (), PROVEN>,
    seen: Table<IpAddr, (), SEEN>,
}

impl Controllers {
    pub(crate) fn standing(&self, ip: IpAddr, settings: &Settings) -> Standing {
        if settings.controllers.contains(&ip) {
            Standing::Configured
        } else if settings.own_addresses.contains(&ip) {
            Standing::Own
        } else if self.proven.get(&ip).is_some() {
            Standing::Proven
        } else if self.seen.get(&ip).is_some() {
            Standing::Seen
        } else {
            Standing::Unknown
        }
    }

    pub(super) fn learn(
        &mut self,
        activity: &Activity,
        tickets: &Tickets,
        settings: &Settings,
        now: Timestamp,
    ) {
        let server = activity.server.ip;
        if let Some(acts) = acts_as_controller(activity) {
            self.seen.touch(acts, now, || ());
        }
        let Some(issuer) = accepted(activity).and_then(|ticket| vouched(ticket, tickets)) else {
            return;
        };
        if issuer != server
            && self.standing(server, settings).is_trusted()
            && !self.standing(issuer, settings).is_trusted()
        {
            self.proven.touch(issuer, now, || ());
        }
    }

    /// Every machine that was seen at a controller's work.
    pub(super) fn known(&self) -> impl Iterator<Item = IpAddr> {
        self.proven.keys().chain(self.seen.keys()).copied()
    }

    pub(super) fn stats(&self) -> [(&'static str, TableStats); 2] {
        [
            ("controllers-proven", self.proven.stats()),
            ("controllers-seen", self.seen.stats()),
        ]
    }
}

/// The machine that does a controller's work here, or is said to do it by more than itself.
fn acts_as_controller(activity: &Activity) -> Option<IpAddr> {
    let server = activity.server.ip;
    match &activity.kind {
        Kind::As(exchange) => matches!(exchange.answer, Answer::Issued { .. }).then_some(server),
        Kind::Tgs(exchange) => matches!(exchange.answer, Answer::Issued { .. }).then_some(server),
        Kind::Rpc(call) => {
            let replicates = call.interface == Some(DRSUAPI);
            (replicates && activity.outcome == Outcome::Success).then_some(server)
        }
        Kind::Sighting(sighting) if activity.confidence >= Confidence::Medium => {
            sighting.controller.then_some(sighting.ip)
        }
        _ => None,
    }
}

/// The ticket that the server of `activity` accepted.
fn accepted(activity: &Activity) -> Option<&Ticket> {
    match &activity.kind {
        Kind::Tgs(exchange) => match exchange.answer {
            Answer::Issued { .. } => exchange.request.as_ref()?.presented.as_ref(),
            _ => None,
        },
        // Whether the password pleased is sealed; the ticket did.
        Kind::Password(exchange) => (exchange.answer == PasswordAnswer::Sealed)
            .then_some(exchange.ticket.as_ref())
            .flatten(),
        _ if activity.outcome != Outcome::Success => None,
        Kind::Ap(exchange) => Some(&exchange.ticket).filter(|_| exchange.error.is_none()),
        _ => activity.credentials.as_ref()?.ticket.as_ref(),
    }
}

/// The KDC that an accepted ticket speaks for.
///
/// A ticket that two machines handed out was relayed by one of them. A ticket-granting ticket of
/// another realm speaks for that realm's KDC, not for this one's. A ticket for a service that runs
/// under a user's account may have been forged with that user's password.
fn vouched(ticket: &Ticket, tickets: &Tickets) -> Option<IpAddr> {
    let fact = tickets.get(ticket).filter(|fact| !fact.relayed)?;
    let service = Service::new(&fact.service);
    let own_realm = service
        .instance()
        .is_some_and(|instance| instance.eq_ignore_ascii_case(service.realm()));
    let sealed_by_domain = if service.is_class("krbtgt") {
        own_realm
    } else {
        service.belongs_to_computer()
    };
    sealed_by_domain.then_some(fact.issuer)
}

#[cfg(test)]
mod tests {
    use goshawk_model::inventory::SightingSource;

    use super::*;
    use crate::build::{Net, at, ip};
    use crate::knowledge::Knowledge;

    fn settings() -> Settings {
        Settings {
            controllers: vec![ip("10.0.0.1")],
            ..Settings::default()
        }
    }

    fn standing_after(activities: &[Activity], of: &str) -> Standing {
        let mut knowledge = Knowledge::default();
        for activity in activities {
            knowledge.learn(activity, activity.time, &settings());
        }
        knowledge.controllers.standing(ip(of), &settings())
    }

    #[test]
    fn issuing_tickets_is_seen_and_proves_nothing() {
        let dc2 = Net::at("10.0.0.2");
        let logon = dc2.logon("alice", "10.0.0.7", "tgt-1");
        assert_eq!(standing_after(&[logon], "10.0.0.2"), Standing::Seen);
        let refused = dc2.refused("alice", "10.0.0.7", 25);
        assert_eq!(standing_after(&[refused], "10.0.0.2"), Standing::Unknown);
    }

    #[test]
    fn who_is_said_to_be_a_controller_is_seen_and_who_says_so_of_itself_is_not() {
        let net = Net::default();
        let mut located = net.sighting("10.0.0.2", "dc2", SightingSource::DnsService);
        if let Kind::Sighting(sighting) = &mut located.kind {
            sighting.controller = true;
        }
        let mut announced = located.clone();
        announced.confidence = Confidence::Low;
        assert_eq!(standing_after(&[announced], "10.0.0.2"), Standing::Unknown);
        assert_eq!(standing_after(&[located], "10.0.0.2"), Standing::Seen);
    }

    #[test]
    fn a_ticket_accepted_by_a_trusted_controller_is_proof() {
        let (dc1, dc2) = (Net::default(), Net::at("10.0.0.2"));
        let logon = dc2.logon("alice", "10.0.0.7", "tgt-1");
        let used = dc1.service(
            "alice",
            "10.0.0.7",
            "tgt-1",
            "cifs/srv.corp.example",
            "st-1",
        );
        assert_eq!(standing_after(&[logon, used], "10.0.0.2"), Standing::Proven);
    }

    #[test]
    fn a_relay_earns_no_trust() {
        let (dc1, relay) = (Net::default(), Net::at("10.0.0.66"));
        let real = dc1.logon("alice", "10.0.0.66", "tgt-1");
        let relayed = relay.logon("alice", "10.0.0.7", "tgt-1");
        let used = dc1.service(
            "alice",
            "10.0.0.7",
            "tgt-1",
            "cifs/srv.corp.example",
            "st-1",
        );
        assert_eq!(
            standing_after(&[real, relayed, used], "10.0.0.66"),
            Standing::Seen
        );
    }

    #[test]
    fn another_realms_kdc_earns_no_trust() {
        let (dc1, foreign) = (Net::default(), Net::at("10.9.0.1"));
        let mut logon = foreign.logon("alice", "10.0.0.7", "tgt-1");
        if let Kind::As(exchange) = &mut logon.kind
            && let Answer::Issued { ticket, .. } = &mut exchange.answer
        {
            ticket.service = "krbtgt/CORP.EXAMPLE@OTHER.EXAMPLE".into();
        }
        let used = dc1.service(
            "alice",
            "10.0.0.7",
            "tgt-1",
            "cifs/srv.corp.example",
            "st-1",
        );
        assert_eq!(standing_after(&[logon, used], "10.9.0.1"), Standing::Seen);
    }

    #[test]
    fn pretenders_cannot_drive_out_the_proven() {
        let mut controllers = Controllers::default();
        controllers.proven.touch(ip("10.0.0.2"), at(1), || ());
        let net = Net::default();
        for n in 0..=SEEN as u32 {
            let mut logon = net.logon("alice", "10.0.0.7", "tgt");
            logon.server.ip = IpAddr::from((0x0b00_0000 + n).to_be_bytes());
            controllers.learn(&logon, &Tickets::default(), &settings(), at(2));
        }
        assert_eq!(controllers.stats()[1].1.evicted, 1);
        assert_eq!(
            controllers.standing(ip("10.0.0.2"), &settings()),
            Standing::Proven
        );
        for n in 0..=PROVEN as u32 {
            controllers
                .proven
                .touch(IpAddr::from(n.to_be_bytes()), at(3), || ());
        }
        assert_eq!(controllers.stats()[0].1.len, PROVEN);
    }
}
