//! Managed service accounts taken over: golden gMSA, and what is called BadSuccessor.
//!
//! **The attack.** Passwords of group-managed service accounts are computed from root keys in the
//! directory. Whoever reads a root key computes them all, for ever (golden gMSA). A delegated
//! managed account (Windows Server 2025) takes over the rights and keys of the account that it says
//! it succeeds; who may make one, makes it the successor of an administrator, and is given that
//! account's keys with its ticket (BadSuccessor).
//!
//! **On the wire.** A search that asks for `msKds-RootKeyData`, and an object made or changed with
//! `msDS-ManagedAccountPrecededByLink` or `msDS-DelegatedMSAState`, where LDAP is readable. Then the
//! ticket of such an account, asked for with `PA-S4U-X509-USER` whose options say so, in no dialect
//! that Windows has (`knowledge::stacks`): `getST -dmsa`. The keys come with it, sealed
//! (`KERB-DMSA-KEY-PACKAGE`, [MS-KILE] 2.2.14).
//!
//! **Look-alikes.** Controllers read root keys for themselves, not over the wire. Administrators
//! migrate service accounts with the same writes, so those alone are less sure. Windows machines are
//! given keys of the accounts they run services under every day.

use std::collections::BTreeSet;

use goshawk_model::ldap::{Attribute, Operation};
use goshawk_model::{Account, Activity, Confidence, Kind, Outcome, Party, Severity};
use serde::{Deserialize, Serialize};

use super::asker::{Asker, who};
use super::{Detection, evidence};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::knowledge::{Stack, stacks};
use crate::scene::Scene;

pub(super) const DESCRIPTION: Description = Description {
    external_id: 9012,
    name: "managed-account-takeover",
    title: "Keys of managed service accounts taken (golden gMSA, BadSuccessor)",
    severity: Severity::High,
    techniques: &["T1555", "T1098"],
    learning: None,
    meaning: "Somebody read what passwords of managed service accounts are computed from, or made \
        an account the successor of another to be given its keys.",
    help: "Seen are searches and writes in readable LDAP, and requests that keys come with. Directory \
        traffic that is sealed hides the former.",
    look_alikes: "Administrators who migrate service accounts to delegated managed ones.",
    remediation: &[
        "Ask the account's owner; if nobody can explain it, disable the account and isolate the \
         source.",
        "If root keys were read: make a new root key, and replace every group-managed account.",
        "If a successor was written: delete the delegated managed account, and reset the password \
         of the account it claimed to succeed, twice.",
        "Restrict who may create delegated managed accounts in every organisational unit.",
    ],
};

const ROOT_KEY: &str = "mskds-rootkeydata";
const SUCCESSION: [&str; 2] = [
    "msds-managedaccountprecededbylink",
    "msds-delegatedmsastate",
];

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct ManagedAccounts {}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Deed {
    /// A successor was written.
    Succession,
    /// A ticket that keys come with was asked for, and no Windows asked.
    Keys,
    /// A root key was asked for.
    RootKey,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    deeds: BTreeSet<Deed>,
    granted: u64,
}

impl Detection for ManagedAccounts {
    type Key = Asker;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::LDAP.and(Kinds::TGS);

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        let Some((deed, detail, target)) = deed(activity) else {
            return;
        };
        if scene.standing(activity.client.ip).is_trusted() {
            return;
        }
        let asker = match deed {
            Deed::Keys => Asker {
                ip: activity.client.ip,
                account: scene.knowledge.asker(activity).cloned(),
            },
            _ => Asker::of(activity, scene),
        };
        let event = Event {
            at: scene.at,
            evidence: evidence(activity, detail),
            target: Some(Party {
                account: target,
                ..scene.machine(&activity.server)
            }),
        };
        let source = asker.party(activity, scene);
        if let Some(facts) = campaigns.record::<Self>(scene, &asker, &source, [event]) {
            facts.deeds.insert(deed);
            facts.granted += u64::from(activity.outcome == Outcome::Success);
        }
    }

    fn judge(campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        let strongest = campaign.facts.deeds.iter().next_back();
        let (severity, confidence) = match strongest {
            Some(Deed::RootKey | Deed::Keys) => (Severity::High, Confidence::High),
            _ => (Severity::Medium, Confidence::Medium),
        };
        Judgement {
            severity,
            confidence,
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let facts = &campaign.facts;
        let mut reason =
            String::from("Managed service accounts keep their secrets by computation.");
        for deed in &facts.deeds {
            reason += match deed {
                Deed::RootKey => {
                    " The root key that their passwords are computed from was asked for, which no \
                     client needs."
                }
                Deed::Keys => {
                    " A ticket was asked for that an account's keys come with, and the request is \
                     not made as Windows makes it."
                }
                Deed::Succession => {
                    " An account was made the successor of another, whose rights and keys it gets."
                }
            };
        }
        if facts.granted == 0 {
            reason += " None of it was granted, as far as was seen; the attempt shows the intent.";
        }
        Story {
            summary: format!(
                "{} reached for keys of managed service accounts.",
                who(&campaign.source, scene)
            ),
            reason,
        }
    }
}

/// What was done, in words, and to whom.
fn deed(activity: &Activity) -> Option<(Deed, String, Option<Account>)> {
    match &activity.kind {
        Kind::Ldap(ldap) => match &ldap.operation {
            Operation::Search(search) => {
                let request = search.request.as_ref()?;
                let asked = request.attributes.iter().any(|name| **name == *ROOT_KEY);
                asked.then(|| {
                    let detail = format!("{ROOT_KEY} was asked for below {}", request.base_object);
                    (Deed::RootKey, detail, None)
                })
            }
            Operation::Modify(Some(modified)) => {
                let changes = modified.changes.iter();
                succession(&modified.object, changes.map(|change| &change.modification))
            }
            Operation::Add(Some(added)) => succession(&added.entry, added.attributes.iter()),
            _ => None,
        },
        Kind::Tgs(exchange) => {
            let request = exchange.request.as_ref()?;
            let whose = request.data.s4u_x509_user.as_ref();
            let whose = whose.filter(|whose| whose.is_managed_account())?;
            (stacks::of_tgs(request) != Some(Stack::Windows)).then(|| {
                let detail = format!("{exchange}, which keys come with");
                (Deed::Keys, detail, whose.user.clone())
            })
        }
        _ => None,
    }
}

/// Whether an object was made, or made to be, another account's successor.
fn succession<'a>(
    object: &str,
    mut attributes: impl Iterator<Item = &'a Attribute>,
) -> Option<(Deed, String, Option<Account>)> {
    let written = attributes.find(|it| SUCCESSION.contains(&&*it.name))?;
    let detail = format!("{} of {object} was written", written.name);
    Some((Deed::Succession, detail, Account::from_dn(object)))
}
