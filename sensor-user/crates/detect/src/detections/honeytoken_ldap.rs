//! A honeytoken queried over LDAP.
//!
//! **The attack.** Before an account is used it is looked at: groups, last logon, who may change
//! it. PowerView, BloodHound's queries for one object, `ldapsearch`, ADExplorer; and the LDAP ping,
//! which tells anybody whether an account exists.
//!
//! **On the wire.** A search whose filter compares a naming attribute with the bait's name, or
//! whose base is the bait (RFC 4511 4.5.1); a ping's `User` ([MS-ADTS] 6.3.3); a compare, a change.
//! Sealed binds, TLS and ADWS hide all of it.
//!
//! **Look-alikes.** A search for everybody returns the bait and does not name it: silent. So is a
//! filter with very many conditions, as synchronisation makes it. Address books complete what is
//! typed: only a pattern that holds the whole name counts.

use goshawk_model::ldap::{Comparison, Condition, Operation};
use goshawk_model::{Account, Activity, Confidence, Kind, Severity};
use serde::{Deserialize, Serialize};

use super::Detection;
use super::asker::Asker;
use super::bait::{LIST, Queries, named, queried, story};
use crate::campaign::{Campaign, Campaigns, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;

pub(super) const DESCRIPTION: Description = Description {
    external_id: 2429,
    name: "honeytoken-ldap",
    title: "Honeytoken queried over LDAP",
    severity: Severity::Low,
    techniques: &["T1087.002"],
    learning: None,
    meaning: "Somebody asked the directory about an account that is bait. Whoever looks at it is \
        looking for accounts to take over.",
    help: "Seen are searches that name the account, compares, changes, and LDAP pings, where the \
        connection is not sealed. Searches for everybody name nobody and are not counted.",
    look_alikes: "Inventories and administrators who look at every account one by one; exclude \
        their machine.",
    remediation: &[
        "Ask the owner of the account and of the machine what they were looking for.",
        "If nobody knows, treat the machine as taken over: find out what ran there at that time.",
        "Watch for what follows: use of the honeytoken, and of accounts looked up along with it.",
    ],
};

const BY: &str = "over LDAP";

/// Attributes whose value is an account's name, in some form, or that of an account's object.
const NAMING: [&str; 15] = [
    "anr",
    "cn",
    "displayname",
    "distinguishedname",
    "mail",
    "mailnickname",
    "manager",
    "member",
    "name",
    "proxyaddresses",
    "samaccountname",
    "sn",
    "uid",
    "user",
    "userprincipalname",
];

/// Remembers nothing of its own: each query stands for itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct HoneytokenLdap {}

impl Detection for HoneytokenLdap {
    type Key = Asker;
    type Facts = Queries;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::LDAP;

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Queries>,
    ) {
        let Kind::Ldap(operation) = &activity.kind else {
            return;
        };
        if scene.settings.honeytokens.is_empty() {
            return;
        }
        let (what, mut found) = match &operation.operation {
            Operation::Search(search) => {
                let Some(request) = &search.request else {
                    return;
                };
                let mut found: Vec<_> = named(&request.base_object, scene).into_iter().collect();
                if request.conditions_total <= LIST {
                    let conditions = request.conditions.iter();
                    found.extend(conditions.filter_map(|one| meant(one, scene)));
                }
                ("a search", found)
            }
            Operation::Compare(Some(request)) => (
                "a compare",
                named(&request.entry, scene).into_iter().collect(),
            ),
            Operation::Modify(Some(request)) => (
                "a change",
                named(&request.object, scene).into_iter().collect(),
            ),
            _ => return,
        };
        found.sort();
        found.dedup();
        if !found.is_empty() {
            queried::<Self>(activity, found, what, scene, campaigns);
        }
    }

    fn judge(_campaign: &Campaign<Queries>, _scene: &Scene<'_>) -> Judgement {
        Judgement {
            severity: Severity::Low,
            confidence: Confidence::High,
        }
    }

    fn tell(campaign: &Campaign<Queries>, scene: &Scene<'_>) -> Story {
        story(campaign, BY, scene)
    }
}

/// The bait that a condition means.
fn meant(condition: &Condition, scene: &Scene<'_>) -> Option<Account> {
    let Condition {
        attribute,
        comparison,
        value,
        negated,
    } = condition;
    let naming = NAMING.contains(&attribute.to_ascii_lowercase().as_str());
    if !naming || *negated {
        return None;
    }
    let value = match comparison {
        Comparison::Equal | Comparison::Approx => &**value,
        Comparison::Substrings => value.trim_matches('*'),
        _ => return None,
    };
    named(value, scene)
}
