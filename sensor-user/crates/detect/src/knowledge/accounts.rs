//! What is known of each account: where it is at home, with which keys it proves itself, and which names
//! a controller does not know.
//!
//! Only ordinary programs make a place an account's home. A logon by a tool may be its owner's or a
//! thief's, and says nothing of where the owner works.

use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::kerberos::{Answer, error};
use goshawk_model::{Account, Activity, Kind, Timestamp};
use serde::{Deserialize, Serialize};

use super::stacks::{self, Stack};
use crate::detections::proves_identity;
use crate::table::{Table, TableStats};

/// Accounts remembered.
const ACCOUNTS: usize = 131_072;
/// Names remembered that do not exist; guessers ask for many.
const DENIED: usize = 16_384;
/// Places remembered per account, the latest.
const PLACES: usize = 8;
/// An account that did not exist a day ago may have been added.
const LATELY: Duration = Duration::from_secs(24 * 3600);
/// What was not seen for so long says nothing.
const FORGET: Duration = Duration::from_secs(60 * 24 * 3600);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Accounts {
    facts: Table<Account, AccountFact, ACCOUNTS>,
    /// Names of which a controller said that there is no such account.
    denied: Table<Account, (), DENIED>,
}

/// What is known of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct AccountFact {
    /// Where it logged on by ordinary programs, the latest last.
    places: Vec<Place>,
    /// Whether it proved itself with AES.
    pub(crate) has_aes: bool,
}

/// A machine from which an account logged on, and when it did last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    ip: IpAddr,
    last: Timestamp,
}

impl AccountFact {
    /// Where the account logged on by ordinary programs at or after `since`.
    pub(crate) fn places(&self, since: Timestamp) -> impl Iterator<Item = IpAddr> {
        let lately = self.places.iter().filter(move |place| place.last >= since);
        lately.map(|place| place.ip)
    }

    fn at(&mut self, ip: IpAddr, now: Timestamp) {
        let known = self.places.iter().rposition(|place| place.ip == ip);
        match known {
            Some(known) => {
                self.places[known].last = now;
                self.places[known..].rotate_left(1);
            }
            None => {
                if self.places.len() >= PLACES {
                    self.places.remove(0);
                }
                self.places.push(Place { ip, last: now });
            }
        }
    }
}

impl Accounts {
    pub(crate) fn get(&self, account: &Account) -> Option<&AccountFact> {
        self.facts.get(account)
    }

    /// Whether a controller said lately that there is no such account.
    pub(crate) fn is_denied(&self, account: &Account) -> bool {
        self.denied.get(account).is_some()
    }

    /// Whether `account` works at another machine than `ip`, and never did at `ip`.
    pub(crate) fn lives_elsewhere(&self, account: &Account, ip: IpAddr) -> bool {
        let mut elsewhere = false;
        let places = self.get(account).into_iter();
        for place in places.flat_map(|fact| fact.places(Timestamp::ZERO)) {
            if place == ip {
                return false;
            }
            elsewhere = true;
        }
        elsewhere
    }

    /// Whether `account` was seen at `ip`, as far as is remembered.
    pub(crate) fn was_at(&self, account: &Account, ip: IpAddr) -> bool {
        let places = self.get(account).into_iter();
        let mut places = places.flat_map(|fact| fact.places(Timestamp::ZERO));
        places.any(|place| place == ip)
    }

    /// Learns from a first ticket that is given for a proof, or refused.
    pub(super) fn learn(&mut self, activity: &Activity, now: Timestamp) {
        let Kind::As(exchange) = &activity.kind else {
            return;
        };
        let (Some(account), Some(request)) = (&exchange.client, &exchange.request) else {
            return;
        };
        match exchange.answer {
            Answer::Issued { .. } => drop(self.denied.remove(account)),
            Answer::Refused(error::C_PRINCIPAL_UNKNOWN) => {
                self.denied.touch(account.clone(), now, || ());
                return;
            }
            _ => return,
        }
        if !proves_identity(&request.padata) {
            return;
        }
        let fact = self.renewed(account, now);
        fact.has_aes |= matches!(request.data.proof_etype, Some(17..=20));
        if !stacks::of_as(request, activity.time).is_some_and(Stack::is_tool) {
            fact.at(activity.client.ip, now);
        }
    }

    /// `account` did something at `ip`, by an ordinary program.
    pub(super) fn seen_at(&mut self, ip: IpAddr, account: &Account, now: Timestamp) {
        self.renewed(account, now).at(ip, now);
    }

    fn renewed(&mut self, account: &Account, now: Timestamp) -> &mut AccountFact {
        self.facts.touch(account.clone(), now, AccountFact::default)
    }

    pub(super) fn expire(&mut self, now: Timestamp) {
        self.facts.expire(now - FORGET);
        self.denied.expire(now - LATELY);
    }

    pub(super) fn stats(&self) -> [(&'static str, TableStats); 2] {
        [
            ("accounts", self.facts.stats()),
            ("accounts-denied", self.denied.stats()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{Net, at, ip};

    #[test]
    fn a_tool_makes_no_home() {
        let net = Net::default();
        let alice = Account::new("alice", "corp.example");
        let mut accounts = Accounts::default();
        accounts.learn(&net.tool_logon("alice", "10.0.0.9", "t1", &[18]), at(1));
        assert!(!accounts.lives_elsewhere(&alice, ip("10.0.0.8")));
        accounts.learn(&net.logon("alice", "10.0.0.7", "t2"), at(2));
        assert!(accounts.lives_elsewhere(&alice, ip("10.0.0.9")));
        assert!(!accounts.lives_elsewhere(&alice, ip("10.0.0.7")));
        let fact = accounts.get(&alice).expect("known");
        assert!(fact.has_aes);
        assert_eq!(fact.places(at(2)).collect::<Vec<_>>(), [ip("10.0.0.7")]);
        assert_eq!(fact.places(at(3)).count(), 0);
    }

    #[test]
    fn an_account_that_was_denied_may_come_to_be() {
        let net = Net::default();
        let ghost = Account::new("ghost", "corp.example");
        let mut accounts = Accounts::default();
        accounts.learn(&net.refused("ghost", "10.0.0.7", 25), at(1));
        assert!(!accounts.is_denied(&ghost));
        accounts.learn(&net.refused("ghost", "10.0.0.7", 6), at(2));
        assert!(accounts.is_denied(&ghost));
        accounts.learn(&net.logon("ghost", "10.0.0.7", "tgt"), at(3));
        assert!(!accounts.is_denied(&ghost));
    }

    #[test]
    fn holds_no_more_than_its_limits() {
        let net = Net::default();
        let mut accounts = Accounts::default();
        for n in 0..=ACCOUNTS {
            accounts.learn(&net.logon(&format!("u{n}"), "10.0.0.7", "tgt"), at(1));
        }
        for n in 0..=DENIED {
            accounts.learn(&net.refused(&format!("x{n}"), "10.0.0.7", 6), at(1));
        }
        let [(_, stats), (_, denied)] = accounts.stats();
        assert_eq!((denied.len, denied.evicted), (DENIED, 1));
        assert_eq!((stats.len, stats.evicted), (ACCOUNTS, 1));
        for n in 0..=PLACES {
            let from = format!("10.0.1.{n}");
            accounts.learn(&net.logon("alice", &from, "tgt"), at(2));
        }
        let alice = Account::new("alice", "corp.example");
        let fact = accounts.get(&alice).expect("known");
        assert_eq!(fact.places(Timestamp::ZERO).count(), PLACES);
        assert!(
            !fact
                .places(Timestamp::ZERO)
                .any(|place| place == ip("10.0.1.0"))
        );
    }
}
