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
//! Kerberoasting tools force RC4 upon their own logon too, whatever secret they were given. Their
//! ticket goes at once into requests that name services as accounts, and those are reported as
//! what they are; so a logon waits a moment to be told.

pub(super) mod etype;
pub(super) mod stack;

use std::time::Duration;

use goshawk_model::kerberos::{Answer, AsExchange, AsRequest, TgsExchange, padata};
use goshawk_model::{Account, Activity, Digest, Host, Party, Timestamp};
use serde::{Deserialize, Serialize};

use super::Mark;
use super::asker::Asker;
use super::services::Service;
use crate::campaign::Event;
use crate::scene::Scene;
use crate::table::{Table, TableStats};

/// Logons waiting for what their tickets are used for.
const HELD: usize = 4_096;
/// A roasting tool uses its ticket within this time.
const HOLD: Duration = Duration::from_secs(20);
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
        };
        Some((ticket, logon))
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

/// Suspicious logons, by the ticket they got, until it is seen what it is used for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent, bound = "T: Serialize + serde::de::DeserializeOwned")]
struct Held<T>(Table<Digest, T, HELD>);

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self(Table::default())
    }
}

impl<T> Held<T> {
    fn hold(&mut self, ticket: Digest, logon: T, scene: &Scene<'_>) {
        self.0.touch(ticket, scene.now, || logon);
    }

    /// Lets go of a logon whose ticket is used for roasting.
    fn used(&mut self, exchange: &TgsExchange) {
        if let Some(request) = &exchange.request
            && request.name_type == NAMED_AS_ACCOUNT
            && let Some(ticket) = &request.presented
        {
            self.0.remove(&ticket.id);
        }
    }

    /// Those that have waited long enough; all of them without a moment given.
    fn due(&mut self, now: Option<Timestamp>) -> Option<T> {
        let limit = now.map_or(Timestamp::MAX, |now| now - HOLD);
        self.0.pop_before(limit).map(|(_, logon)| logon)
    }

    fn stats(&self) -> TableStats {
        self.0.stats()
    }
}
