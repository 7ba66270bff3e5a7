//! Computers that were added to the domain before our eyes.
//!
//! Anybody may add ten as a rule (`ms-DS-MachineAccountQuota`), and whoever attacks delegation needs
//! an account with a service name: a fresh one serves.

use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::ldap::Operation;
use goshawk_model::rpc::{RpcArguments, SamrArguments};
use goshawk_model::{Account, Activity, Digest, Kind, Outcome, Timestamp};
use serde::{Deserialize, Serialize};

use crate::table::{Table, TableStats};

/// Computers remembered.
const COMPUTERS: usize = 16_384;
/// After a day a computer is as good as old.
const NEW: Duration = Duration::from_secs(24 * 3600);
/// `AccountType` of a computer in SAMR ([MS-SAMR] 2.2.1.12).
const WORKSTATION_TRUST: u32 = 0x80;

/// How a computer was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Added {
    /// From where.
    pub(crate) from: IpAddr,
    pub(crate) time: Timestamp,
    pub(crate) activity: Digest,
}

/// Name of the account, lower case, with its dollar → how it was added.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Computers(Table<Box<str>, Added, COMPUTERS>);

impl Computers {
    /// How the computer was added, if that was lately.
    pub(crate) fn added(&self, account: &Account) -> Option<&Added> {
        self.0.get(account.name())
    }

    pub(super) fn learn(&mut self, activity: &Activity, now: Timestamp) {
        if activity.outcome != Outcome::Success {
            return;
        }
        let name = match &activity.kind {
            Kind::Rpc(call) => match &call.arguments {
                Some(RpcArguments::Samr(SamrArguments::Create {
                    name,
                    account_type: Some(WORKSTATION_TRUST),
                    ..
                })) => &**name,
                _ => return,
            },
            Kind::Ldap(operation) => match &operation.operation {
                Operation::Add(Some(added)) => {
                    let named = |attribute: &str| {
                        let found = added.attributes.iter().find(|one| *one.name == *attribute);
                        found.map(|one| &*one.texts).unwrap_or_default()
                    };
                    match named("samaccountname") {
                        [name] if name.ends_with('$') => &**name,
                        _ => return,
                    }
                }
                _ => return,
            },
            _ => return,
        };
        const LONGEST: usize = 64;
        if name.is_empty() || name.len() > LONGEST {
            return;
        }
        let added = Added {
            from: activity.client.ip,
            time: activity.time,
            activity: activity.id,
        };
        *self.0.touch(name.to_lowercase().into(), now, || added) = added;
    }

    pub(super) fn expire(&mut self, now: Timestamp) {
        self.0.expire(now - NEW);
    }

    pub(super) fn stats(&self) -> TableStats {
        self.0.stats()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{Net, at};

    #[test]
    fn a_computer_is_new_for_a_day() {
        let net = Net::default();
        let mut computers = Computers::default();
        let plant = Account::new("plant$", "corp.example");
        computers.learn(&net.added("PLANT$", "10.0.0.9", Outcome::Failure), at(1));
        assert_eq!(computers.added(&plant), None, "refused");
        computers.learn(&net.added("PLANT$", "10.0.0.9", Outcome::Success), at(1));
        assert!(computers.added(&plant).is_some());
        computers.expire(at(25 * 3600));
        assert_eq!(computers.added(&plant), None);
    }

    #[test]
    fn holds_no_more_than_its_limit() {
        let net = Net::default();
        let mut computers = Computers::default();
        for n in 0..=COMPUTERS {
            let added = net.added(&format!("PC{n}$"), "10.0.0.9", Outcome::Success);
            computers.learn(&added, at(1));
        }
        assert_eq!(
            (computers.stats().len, computers.stats().evicted),
            (COMPUTERS, 1)
        );
    }
}
