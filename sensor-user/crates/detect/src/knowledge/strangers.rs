//! Tickets that are shown and were never seen being issued.
//!
//! Most are older than the recording, or from a controller that is not watched. A forged ticket is
//! one too; what tells it apart is the detections' business, and [`Absence`] says what a sensor may
//! make of never having seen it.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::kerberos::Answer;
use goshawk_model::{Account, Activity, Digest, GapReason, Kind, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Controllers, Knowledge, SKEW, Tickets, on_behalf};
use crate::detections::services::Service;
use crate::settings::Settings;
use crate::table::{Table, TableStats};

/// Strangers remembered.
const STRANGERS: usize = 32_768;
/// Machines remembered that show tickets which nobody issued, though all controllers are watched.
const MACHINES: usize = 1_024;
/// Beyond it, nobody shows a ticket again.
const FORGET: Duration = Duration::from_secs(7 * 24 * 3600);

/// A ticket-granting ticket that came from nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stranger {
    /// When it was shown first.
    pub(crate) first: Timestamp,
    /// Whose it claims to be: by what is in it, or once a KDC believed it.
    pub(crate) owner: Option<Account>,
    /// Whether a controller renewed one that came from nowhere, and this is what it made of it.
    #[serde(default)]
    pub(crate) renewed: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Strangers {
    tickets: Table<Digest, Stranger, STRANGERS>,
    /// Machines that show what nobody issued, while every controller is watched.
    machines: Table<IpAddr, (), MACHINES>,
}

/// What follows from never having seen a ticket issued.
pub(crate) enum Absence {
    /// No controller has issued it.
    Certain,
    /// Nothing, for this reason.
    Doubtful(Doubt),
}

/// Why a ticket may be real although it was never seen issued.
pub(crate) enum Doubt {
    /// No controller is known to be watched.
    Unwatched,
    /// This controller is not watched.
    Uncovered(IpAddr),
    /// The controllers have not been watched for as long as a ticket lives.
    Young,
    /// Packets may have been missed.
    Gap(GapReason),
    /// The registry was full and forgot tickets that may still live.
    Forgotten,
    /// Many machines show such tickets: some controller is not known.
    Common,
}

impl Strangers {
    pub(crate) fn get(&self, ticket: &Digest) -> Option<&Stranger> {
        self.tickets.get(ticket)
    }

    pub(super) fn learn(&mut self, activity: &Activity, tickets: &Tickets, now: Timestamp) {
        let Kind::Tgs(exchange) = &activity.kind else {
            return;
        };
        let Some(request) = &exchange.request else {
            return;
        };
        let Some(ticket) = &request.presented else {
            return;
        };
        let is_renewed = self
            .get(&ticket.id)
            .is_some_and(|stranger| stranger.renewed);
        if tickets.get(ticket).is_some() && !is_renewed
            || !Service::new(&ticket.service).is_own_kdc()
        {
            return;
        }
        let stranger = self.tickets.touch(ticket.id, now, || Stranger {
            first: now,
            owner: ticket
                .opened
                .as_ref()
                .and_then(|opened| opened.client.clone()),
            renewed: false,
        });
        let Answer::Issued { ticket: given, .. } = &exchange.answer else {
            return;
        };
        if stranger.owner.is_none() && !on_behalf(request) {
            stranger.owner = super::tickets::named(exchange.client.as_ref()).cloned();
        }
        if super::tickets::is_renewal(request) {
            let renewed = Stranger {
                renewed: true,
                ..stranger.clone()
            };
            self.tickets.touch(given.id, now, || renewed);
        }
    }

    /// Whether so many machines show what nobody issued that it is no intruder's: he has few.
    pub(crate) fn are_common(&self) -> bool {
        const MANY: usize = 4;
        self.machines.stats().len >= MANY
    }

    /// A machine showed what no watched controller issued.
    pub(super) fn odd_machine(&mut self, ip: IpAddr, now: Timestamp) {
        self.machines.touch(ip, now, || ());
    }

    pub(super) fn expire(&mut self, lifetime: Duration, now: Timestamp) {
        self.tickets.expire(now - FORGET);
        self.machines.expire(now - lifetime);
    }

    pub(super) fn stats(&self) -> [(&'static str, TableStats); 2] {
        [
            ("strange-tickets", self.tickets.stats()),
            ("strange-machines", self.machines.stats()),
        ]
    }
}

impl Knowledge {
    /// What it means that a ticket was never seen issued.
    pub(crate) fn absence(&self, now: Timestamp, settings: &Settings) -> Absence {
        match self.blindness(now, settings) {
            Some(doubt) => Absence::Doubtful(doubt),
            None if self.strangers.are_common() => Absence::Doubtful(Doubt::Common),
            None => Absence::Certain,
        }
    }

    /// Why tickets that live may have been issued unseen.
    pub(super) fn blindness(&self, now: Timestamp, settings: &Settings) -> Option<Doubt> {
        let from = now - (self.policy.lifetime(&settings.policy) + SKEW);
        if !self.watch.is_told() {
            return Some(Doubt::Unwatched);
        }
        for controller in issuing(&self.controllers, settings) {
            match self.watch.since(controller) {
                None => return Some(Doubt::Uncovered(controller)),
                Some(since) if since > from => return Some(Doubt::Young),
                Some(_) => {}
            }
        }
        if let Some(reason) = self.watch.gap_within(from, now) {
            return Some(Doubt::Gap(reason));
        }
        (self.tickets.forgot() >= Some(from)).then_some(Doubt::Forgotten)
    }
}

/// Every machine that may issue tickets of the domain.
fn issuing(controllers: &Controllers, settings: &Settings) -> impl Iterator<Item = IpAddr> {
    let told = settings.controllers.iter().copied();
    told.chain(controllers.known())
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unwatched => f.write_str("no controller is known to be watched"),
            Self::Uncovered(ip) => write!(f, "the controller {ip} is not watched"),
            Self::Young => f.write_str(
                "the controllers have not been watched for as long as a ticket may live",
            ),
            Self::Gap(reason) => f.write_str(match reason {
                GapReason::Lost => "packets were lost",
                GapReason::ClockStep => "the clock was set",
                GapReason::Stopped => "the sensor was not running all the time",
                GapReason::Evicted => "a table was full",
            }),
            Self::Forgotten => f.write_str("more tickets were issued than are remembered"),
            Self::Common => f.write_str(
                "several machines show tickets that were not seen issued, so some controller is \
                 not known",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{Net, at};

    #[test]
    fn holds_no_more_than_its_limits() {
        let net = Net::default();
        let mut strangers = Strangers::default();
        for n in 0..=STRANGERS {
            let shown = net.service("a", "10.0.0.7", &n.to_string(), "cifs/x", "st");
            strangers.learn(&shown, &Tickets::default(), at(1));
        }
        for n in 0..=MACHINES as u32 {
            strangers.odd_machine(IpAddr::from(n.to_be_bytes()), at(1));
        }
        for (name, stats) in strangers.stats() {
            assert_eq!((stats.len, stats.evicted), (stats.limit, 1), "{name}");
        }
    }
}
