//! The domain's policy: how long tickets live, and after how many wrong passwords an account is locked.
//!
//! The administrator may say it. Otherwise it is what a domain begins with ([MS-GPSB] 2.2.2, 2.2.1.2), as
//! far as traffic does not show another: a ticket's times are sealed, but whether an old one is taken or
//! refused is not.

use std::time::Duration;

use goshawk_model::kerberos::Answer;
use goshawk_model::{Activity, Kind, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Tickets, tickets};
use crate::detections::services::Service;
use crate::settings::Policy as Told;

/// What a ticket lives in a domain that nobody has changed (`MaxTicketAge`).
pub(crate) const LIFETIME: Duration = Duration::from_secs(10 * 3600);
/// How far the clocks of a domain may be apart (`MaxClockSkew`).
pub(crate) const SKEW: Duration = Duration::from_secs(5 * 60);
/// How long a ticket can be renewed (`MaxRenewAge`).
const RENEWABLE: Duration = Duration::from_secs(7 * 24 * 3600);
/// `KRB_AP_ERR_TKT_EXPIRED` (RFC 4120 7.5.9).
const EXPIRED: i32 = 32;

/// What traffic shows of the policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Policy {
    /// The longest that an issued ticket was seen accepted after its issue.
    taken: Duration,
    /// The age at which one was refused that had been asked for as long as may be.
    refused: Option<Duration>,
}

impl Policy {
    /// How long a ticket lives here.
    pub(crate) fn lifetime(&self, told: &Told) -> Duration {
        told.ticket_age.unwrap_or(self.taken.max(LIFETIME))
    }

    /// How long it can be renewed.
    pub(crate) fn renewable(told: &Told) -> Duration {
        told.renew_age.unwrap_or(RENEWABLE)
    }

    /// Whether tickets are known to live no longer than [`lifetime`](Self::lifetime): it was said, or seen.
    pub(crate) fn is_sure(&self, told: &Told) -> bool {
        let seen = self
            .refused
            .is_some_and(|age| age <= self.taken.max(LIFETIME) + SKEW + SKEW);
        told.ticket_age.is_some() || seen
    }

    pub(super) fn learn(&mut self, activity: &Activity, tickets: &Tickets, now: Timestamp) {
        let Kind::Tgs(exchange) = &activity.kind else {
            return;
        };
        let Some(request) = &exchange.request else {
            return;
        };
        let Some(fact) = request.presented.as_ref().and_then(|it| tickets.get(it)) else {
            return;
        };
        if fact.issued == Timestamp::ZERO {
            return;
        }
        let age = now.since(fact.issued);
        match exchange.answer {
            Answer::Issued { .. } if age > self.taken => self.taken = age.min(RENEWABLE),
            Answer::Refused(EXPIRED)
                if fact.unlimited
                    && !tickets::is_renewal(request)
                    && Service::new(&fact.service).is_ticket_granting() =>
            {
                self.refused = Some(self.refused.map_or(age, |before| before.min(age)));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{Net, at};

    const HOUR: u64 = 3_600_000;

    /// A ticket used, or refused as expired, so many hours after its issue.
    fn after(hours: u64, expired: bool, unlimited: bool) -> Policy {
        let net = Net::default();
        let mut logon = net.logon("alice", "10.0.0.7", "tgt");
        if let Kind::As(exchange) = &mut logon.kind
            && let Some(request) = &mut exchange.request
        {
            request.till = unlimited.then(|| Timestamp::from_parts(2_136_422_885, 0));
        }
        let (mut tickets, mut policy) = (Tickets::default(), Policy::default());
        tickets.learn(&logon, at(0));
        let mut used = net
            .pass(hours * HOUR)
            .service("alice", "10.0.0.7", "tgt", "cifs/srv", "st");
        if let (Kind::Tgs(exchange), true) = (&mut used.kind, expired) {
            exchange.answer = Answer::Refused(EXPIRED);
        }
        policy.learn(&used, &tickets, used.time);
        policy
    }

    #[test]
    fn a_ticket_taken_late_makes_the_policy_longer() {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        let told = Told::default();
        assert_eq!(after(4, false, true).lifetime(&told), hours(10));
        let day = after(20, false, true);
        assert_eq!(
            (day.lifetime(&told), day.is_sure(&told)),
            (hours(20), false)
        );
        let told = Told {
            ticket_age: Some(hours(24)),
            ..told
        };
        assert_eq!((day.lifetime(&told), day.is_sure(&told)), (hours(24), true));
    }

    #[test]
    fn a_ticket_refused_in_time_makes_it_sure() {
        let told = Told::default();
        assert!(after(10, true, true).is_sure(&told));
        assert!(
            !after(10, true, false).is_sure(&told),
            "it was asked for so"
        );
        assert!(
            !after(30, true, true).is_sure(&told),
            "it may have lived for long"
        );
        assert!(!Policy::default().is_sure(&told));
    }
}
