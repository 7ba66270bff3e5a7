//! What is in the tickets that the controllers of a realm issue, where those are opened with a keytab.
//!
//! Controllers of one patch level write the same parts of a PAC into every ticket-granting ticket, and
//! the same name of the domain; who forges one rarely gets all of it right.

use std::time::Duration;

use goshawk_model::kerberos::{Answer, Opened, Pac, Verdict};
use goshawk_model::{Activity, Kind, Timestamp};
use serde::{Deserialize, Serialize};

use super::rights::issued_at_logon;
use crate::detections::services::Service;
use crate::table::{Table, TableStats};

/// Realms remembered.
const REALMS: usize = 64;

/// Of all realms.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Contents(Table<Box<str>, Content, REALMS>);

/// Of one realm's tickets.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Content {
    /// How long the longest ticket-granting ticket is good.
    pub(crate) longest: Duration,
    /// What the PACs of ticket-granting tickets have in common, and those of tickets for services;
    /// `None` while none was seen.
    pub(crate) granting: Option<Usual>,
    pub(crate) services: Option<Usual>,
    /// Whether a key of the keytab made the KDC's signature of an issued ticket.
    pub(crate) signed: bool,
    /// Whether one was made with a key that the keytab has not: then it is old, and no signature can
    /// be called wrong.
    pub(crate) outdated: bool,
}

/// What PACs have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Usual {
    /// Types of buffers that every one has, and that any has: a bit each.
    pub(crate) always: u64,
    pub(crate) ever: u64,
    /// The domain's NetBIOS name and SID.
    pub(crate) domain: Box<str>,
    pub(crate) domain_sid: Box<str>,
    /// Whether all name the controller of the logon.
    pub(crate) names_server: bool,
}

impl Contents {
    pub(crate) fn of(&self, realm: &str) -> Option<&Content> {
        self.0.get(realm)
    }

    pub(super) fn learn(&mut self, activity: &Activity, now: Timestamp) {
        if let Some((realm, opened)) = issued_at_logon(activity) {
            self.content(realm, now).logon(opened);
        } else if let Kind::Tgs(exchange) = &activity.kind
            && let Answer::Issued { ticket, .. } = &exchange.answer
            && let Some(pac) = ticket
                .opened
                .as_ref()
                .and_then(|opened| opened.pac.as_ref())
            && let Some(signature) = pac.kdc_signature
        {
            let service = Service::new(&ticket.service);
            let content = self.content(service.realm(), now);
            content.signed |= signature.verdict == Verdict::Valid;
            content.outdated |= signature.verdict == Verdict::Wrong;
            if has_all_signatures(service) {
                Usual::learn(&mut content.services, pac);
            }
        }
    }

    pub(super) fn stats(&self) -> TableStats {
        self.0.stats()
    }

    fn content(&mut self, realm: &str, now: Timestamp) -> &mut Content {
        self.0.touch(realm.into(), now, Content::default)
    }
}

impl Content {
    /// A ticket-granting ticket was issued.
    fn logon(&mut self, opened: &Opened) {
        self.longest = self.longest.max(life(opened));
        if let Some(pac) = &opened.pac {
            Usual::learn(&mut self.granting, pac);
        }
    }
}

impl Usual {
    fn learn(known: &mut Option<Self>, pac: &Pac) {
        let Some(logon) = &pac.logon else {
            return;
        };
        let buffers = buffers(pac);
        let usual = known.get_or_insert_with(|| Self {
            always: buffers,
            ever: buffers,
            domain: logon.domain.clone(),
            domain_sid: logon.domain_sid.clone().unwrap_or_default(),
            names_server: true,
        });
        usual.always &= buffers;
        usual.ever |= buffers;
        usual.names_server &= !logon.server.is_empty();
    }
}

/// Whether the KDC signs tickets for the service in every way: all but for itself, its like, and the
/// change-password service ([MS-PAC] 2.8.2, 2.8.3).
pub(crate) fn has_all_signatures(service: Service<'_>) -> bool {
    !service.is_ticket_granting() && !service.is_class("kadmin")
}

/// How long a ticket is good.
pub(crate) fn life(opened: &Opened) -> Duration {
    let start = opened.starttime.unwrap_or(opened.authtime);
    opened.endtime.since(start)
}

/// Types of buffers that a PAC has: a bit each.
pub(crate) fn buffers(pac: &Pac) -> u64 {
    pac.buffers
        .iter()
        .filter_map(|&kind| 1_u64.checked_shl(kind))
        .fold(0, |all, bit| all | bit)
}
