//! Overpass-the-hash: a stolen key instead of a password, and a ticket for it.
//!
//! **The attack.** Kerberos proves a logon with a key, and the RC4 key of an account is its NT hash
//! (RFC 4757). Who took hashes or AES keys out of a machine's memory or a database asks for a
//! ticket with them and is the account from then on: impacket `getTGT`, Rubeus `asktgt`, mimikatz
//! `sekurlsa::pth`.
//!
//! **On the wire.** An ordinary logon; a key looks like the password it was made from. What gives
//! it away is how it is asked for: in the dialect of a tool ([`stack`]), or with RC4 alone because
//! the thief has no other key ([`etype`]).
//!
//! Tools log on with passwords as well, as part of other attacks that are reported as what they are:
//! a roaster forces RC4 upon its own logon whatever secret it was given, and its ticket goes at once
//! into requests for services of users. So a logon waits a moment, to be told by what its ticket is
//! used for. An account that was added before our eyes has no key that could have been stolen.

pub(super) mod etype;
pub(super) mod stack;

use std::collections::BTreeSet;
use std::time::Duration;

use goshawk_model::kerberos::{Answer, AsExchange, AsRequest, TgsExchange, padata};
use goshawk_model::{Account, Activity, Digest, Host, Party, Timestamp};
use serde::{Deserialize, Serialize};

use super::Mark;
use super::asker::Asker;
use super::services::Service;
use crate::campaign::Event;
use crate::knowledge::on_behalf;
use crate::scene::Scene;
use crate::table::{Table, TableStats};

/// Logons waiting for what their tickets are used for.
const HELD: usize = 4_096;
/// A roasting tool uses its ticket within this time.
const HOLD: Duration = Duration::from_secs(20);
/// A program that wants a ticket for itself uses it this soon; one that was started later does not.
const AT_ONCE: Duration = Duration::from_secs(1);
/// Services of users for which a ticket is asked for right after it was got, by who roasts them.
const ROASTED: usize = 2;
/// `NT-MS-PRINCIPAL`: a service named as an account, which is how it is roasted.
const NAMED_AS_ACCOUNT: i32 = -128;
/// Encryption types kept for a sentence.
const OFFERED: usize = 8;

/// A logon with a key: the proof was sent and believed.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Logon {
    mark: Mark,
    asker: Asker,
    controller: Host,
    offered: Vec<i32>,
    /// Whether the program that got the ticket used it at once, instead of keeping it for later.
    used_at_once: bool,
    /// Whether it was used in somebody else's name (S4U).
    delegates: bool,
}

impl Logon {
    /// The logon that `exchange` is, and the ticket it got.
    fn of(
        activity: &Activity,
        (exchange, request): (&AsExchange, &AsRequest),
        scene: &Scene<'_>,
    ) -> Option<(Digest, Self)> {
        let (ticket, account) = granted(exchange, request)?;
        let logon = Self {
            mark: Mark::new(activity, scene),
            asker: Asker {
                ip: activity.client.ip,
                account: Some(account.clone()),
            },
            controller: activity.server.clone(),
            offered: request.etypes.iter().copied().take(OFFERED).collect(),
            used_at_once: false,
            delegates: false,
        };
        let computers = &scene.knowledge.computers;
        computers
            .added(account)
            .is_none()
            .then_some((ticket, logon))
    }

    fn source(&self, scene: &Scene<'_>) -> Party {
        Party {
            account: self.asker.account.clone(),
            ..scene.machine(&self.asker.ip.into())
        }
    }

    fn event(&self, detail: String, scene: &Scene<'_>) -> Event {
        Event {
            at: self.mark.at,
            evidence: self.mark.evidence(detail),
            target: Some(scene.machine(&self.controller)),
        }
    }
}

/// The ticket-granting ticket that was given for a proof, and to whom.
fn granted<'a>(exchange: &'a AsExchange, request: &AsRequest) -> Option<(Digest, &'a Account)> {
    let Answer::Issued { ticket, .. } = &exchange.answer else {
        return None;
    };
    let proved = request.padata.contains(&padata::ENC_TIMESTAMP);
    (proved && Service::new(&ticket.service).is_ticket_granting())
        .then_some((ticket.id, exchange.client.as_ref()?))
}

/// Suspicious logons, by the ticket they got, until it is seen what it is used for; and what a rule
/// makes of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "T: Serialize + serde::de::DeserializeOwned")]
struct Held<T> {
    logons: Table<Digest, (Logon, T), HELD>,
    /// The services of users for which such tickets were used, by who asked: some roasters log on
    /// anew for each.
    asked: Table<Asker, BTreeSet<String>, HELD>,
}

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self {
            logons: Table::default(),
            asked: Table::default(),
        }
    }
}

impl<T> Held<T> {
    fn hold(&mut self, ticket: Digest, (logon, finding): (Logon, T), scene: &Scene<'_>) {
        self.logons.touch(ticket, scene.now, || (logon, finding));
    }

    /// Notes what a ticket is used for, and lets go of a logon whose ticket is used for roasting.
    fn used(&mut self, activity: &Activity, exchange: &TgsExchange, scene: &Scene<'_>) {
        if self.logons.stats().len == 0 {
            return;
        }
        let Some(request) = &exchange.request else {
            return;
        };
        let Some(ticket) = &request.presented else {
            return;
        };
        let Some((logon, _)) = self.logons.get_mut(&ticket.id) else {
            return;
        };
        let is_same = activity.client.ip == logon.asker.ip;
        logon.used_at_once |= is_same && scene.at <= logon.mark.at + AT_ONCE;
        logon.delegates |= on_behalf(request);
        let service = exchange.service.as_deref().map(Service::new);
        if let Some(service) = service.filter(|it| !it.belongs_to_computer())
            && !logon.delegates
        {
            let asker = logon.asker.clone();
            let asked = self.asked.touch(asker, scene.now, BTreeSet::new);
            if asked.len() < ROASTED {
                asked.insert(service.family());
            }
        }
        if request.name_type == NAMED_AS_ACCOUNT {
            self.logons.remove(&ticket.id);
        }
    }

    /// Whether who logged on so collects tickets of users' services.
    fn roasts(&self, asker: &Asker) -> bool {
        let asked = self.asked.get(asker);
        asked.is_some_and(|asked| asked.len() >= ROASTED)
    }

    /// Those that have waited long enough; all of them without a moment given.
    fn due(&mut self, now: Option<Timestamp>) -> Option<(Logon, T)> {
        let limit = now.map_or(Timestamp::MAX, |now| now - HOLD);
        while let Some((_, (logon, finding))) = self.logons.pop_before(limit) {
            if !self.roasts(&logon.asker) {
                return Some((logon, finding));
            }
        }
        // As long as a logon may have been held that it speaks of.
        self.asked.expire(limit - HOLD);
        None
    }

    fn stats(&self) -> TableStats {
        self.logons.stats()
    }
}
