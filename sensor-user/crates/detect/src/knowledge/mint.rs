//! What ticket-granting tickets look like that the KDCs of a realm issue.
//!
//! A KDC seals them with the strongest key of its `krbtgt` account, whatever the client offers, so
//! encryption type and key version are the same for everybody; their length depends on whose they
//! are, by name and groups. Who forges one rarely gets all of it right.

use std::collections::BTreeSet;

use goshawk_model::kerberos::{Answer, AsRequest, Ticket};
use goshawk_model::{Account, Activity, Kind, Timestamp};
use serde::{Deserialize, Serialize};

use crate::detections::is_rc4;
use crate::detections::services::Service;
use crate::table::{Table, TableStats};

/// Realms remembered.
const REALMS: usize = 64;
/// Accounts whose tickets' length is remembered.
const ACCOUNTS: usize = 65_536;
/// Key versions remembered per realm; a key is changed once a year, if ever.
const VERSIONS: usize = 8;
/// A key version of a read-only controller has that controller's number above these bits
/// ([MS-KILE] 3.1.5.8).
const VERSION_BITS: u32 = 16;

/// Tickets of all realms.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Mint {
    realms: Table<Box<str>, Coins, REALMS>,
    /// The shortest ticket of each account.
    lengths: Table<Account, u32, ACCOUNTS>,
}

/// Tickets of one realm.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Coins {
    /// Whether ticket-granting tickets were seen sealed with something stronger than RC4, and with
    /// RC4.
    pub(crate) strong: bool,
    pub(crate) rc4: bool,
    /// Whether tickets of services were sealed with AES: the domain's keys know it.
    pub(crate) strong_services: bool,
    versions: BTreeSet<u32>,
    /// The shortest ticket-granting ticket of all, and how many accounts that is known from.
    shortest: u32,
    accounts: u32,
}

impl Mint {
    pub(crate) fn coins(&self, realm: &str) -> Option<&Coins> {
        self.realms.get(realm)
    }

    /// The length of the shortest ticket that was issued to `account`.
    pub(crate) fn shortest_of(&self, account: &Account) -> Option<u32> {
        self.lengths.get(account).copied()
    }

    pub(super) fn learn(&mut self, activity: &Activity, now: Timestamp) {
        match &activity.kind {
            Kind::As(exchange) => {
                let Answer::Issued { ticket, .. } = &exchange.answer else {
                    return;
                };
                let service = Service::new(&ticket.service);
                if !service.is_own_kdc() {
                    return;
                }
                let usual = exchange.request.as_ref().is_none_or(is_usual);
                let owner = exchange.client.as_ref().filter(|_| usual);
                self.coined(service.realm(), ticket, owner, now);
            }
            Kind::Tgs(exchange) => {
                let Answer::Issued { ticket, .. } = &exchange.answer else {
                    return;
                };
                let service = Service::new(&ticket.service);
                if service.is_own_kdc() {
                    self.coined(service.realm(), ticket, None, now);
                } else if matches!(ticket.etype, 17..=20) && service.belongs_to_computer() {
                    match self.realms.get_mut(service.realm()) {
                        Some(coins) => coins.strong_services = true,
                        None => {
                            let realm = service.realm().into();
                            self.realms
                                .touch(realm, now, Coins::default)
                                .strong_services = true;
                        }
                    }
                }
            }
            _ => {}
        }
    }

    pub(super) fn stats(&self) -> [(&'static str, TableStats); 2] {
        [
            ("mint-realms", self.realms.stats()),
            ("mint-lengths", self.lengths.stats()),
        ]
    }

    /// A ticket-granting ticket of the realm's own, issued to `owner` in the usual way.
    fn coined(&mut self, realm: &str, ticket: &Ticket, owner: Option<&Account>, now: Timestamp) {
        if self.realms.get(realm).is_none() {
            self.realms.touch(realm.into(), now, Coins::default);
        }
        let Some(coins) = self.realms.get_mut(realm) else {
            return;
        };
        if is_rc4(ticket.etype) {
            coins.rc4 = true;
        } else {
            coins.strong = true;
        }
        if let Some(version) = ticket.kvno
            && !coins.versions.contains(&version)
        {
            if coins.versions.len() >= VERSIONS {
                coins.versions.pop_first();
            }
            coins.versions.insert(version);
        }
        let Some(owner) = owner else {
            return;
        };
        if let Some(shortest) = self.lengths.get_mut(owner) {
            *shortest = (*shortest).min(ticket.length);
        } else {
            self.lengths.touch(owner.clone(), now, || ticket.length);
            coins.accounts = coins.accounts.saturating_add(1);
        }
        coins.shortest = match coins.shortest {
            0 => ticket.length,
            shortest => shortest.min(ticket.length),
        };
    }
}

impl Coins {
    /// Whether no ticket of this key version was issued, though others of the same controllers
    /// were.
    pub(crate) fn is_odd_version(&self, version: u32) -> bool {
        let branch = |version: u32| version >> VERSION_BITS;
        let mut alike = self
            .versions
            .iter()
            .filter(|&&known| branch(known) == branch(version));
        let known = alike.clone().any(|&known| known == version);
        !known && alike.next().is_some()
    }

    /// The length of the shortest ticket, where enough accounts are known to judge by it.
    pub(crate) fn shortest(&self) -> Option<u32> {
        const ENOUGH: u32 = 8;
        (self.accounts >= ENOUGH).then_some(self.shortest)
    }
}

/// Whether the ticket has what a password logon gives it: one without a PAC is shorter, one by
/// certificate or under armour longer.
fn is_usual(request: &AsRequest) -> bool {
    let data = &request.data;
    data.include_pac != Some(false) && data.pkinit.is_none() && data.fast.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{AES, Net, at, issued, tgt};

    #[test]
    fn versions_are_odd_beside_others_of_the_same_controllers() {
        let mut coins = Coins::default();
        assert!(!coins.is_odd_version(2), "nothing is known");
        coins.versions.insert(3);
        assert!(coins.is_odd_version(2) && !coins.is_odd_version(3));
        assert!(!coins.is_odd_version(0x1234_0001), "a read-only controller");
    }

    #[test]
    fn lengths_are_those_of_usual_logons() {
        let net = Net::default();
        let mut mint = Mint::default();
        let mut logon = |name: &str, length: u32, padata: &[i32], pac: Option<bool>| {
            let mut ticket = tgt(name);
            ticket.length = length;
            let mut logon = net.ask(
                name,
                "10.0.0.7",
                "krbtgt/CORP.EXAMPLE",
                (&[AES], padata),
                issued(ticket, AES),
            );
            if let Kind::As(exchange) = &mut logon.kind
                && let Some(request) = &mut exchange.request
            {
                request.data.include_pac = pac;
            }
            mint.learn(&logon, at(1));
            mint.shortest_of(&Account::new(name, "corp.example"))
        };
        assert_eq!(logon("alice", 1_100, &[2], Some(true)), Some(1_100));
        assert_eq!(logon("alice", 250, &[2], Some(false)), Some(1_100));
        for n in 0..7 {
            logon(&format!("u{n}"), 1_000 + n, &[2], None);
        }
        let coins = mint.coins("CORP.EXAMPLE").expect("known");
        assert_eq!(coins.shortest(), Some(1_000));
        assert!(coins.strong && !coins.rc4);
    }

    #[test]
    fn holds_no_more_than_its_limits() {
        let net = Net::default();
        let mut mint = Mint::default();
        for n in 0..=ACCOUNTS {
            mint.learn(&net.logon(&n.to_string(), "10.0.0.7", "tgt"), at(1));
        }
        for n in 0..=REALMS as u32 {
            let mut ticket = tgt("x");
            ticket.kvno = Some(n);
            mint.coined("CORP.EXAMPLE", &ticket, None, at(1));
            mint.coined(&format!("R{n}"), &ticket, None, at(1));
        }
        let [realms, lengths] = mint.stats();
        assert_eq!((realms.1.len, lengths.1.len), (REALMS, ACCOUNTS));
        assert!(realms.1.evicted > 0 && lengths.1.evicted > 0);
    }
}
