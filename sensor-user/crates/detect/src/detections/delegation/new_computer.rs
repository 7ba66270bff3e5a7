//! Delegation by a computer that was added just now.
//!
//! **The attack.** Resource-based delegation needs an account with a service name, and anybody may
//! add a computer. Who can write a target's `msDS-AllowedToActOnBehalfOfOtherIdentity` (often by
//! relaying that target's own logon to LDAP) adds one, lets it delegate there, and asks for an
//! administrator's ticket: impacket `addcomputer`, `rbcd`, `getST`; Rubeus `s4u`; KrbRelayUp.
//!
//! **On the wire.** A computer's account is created (SAMR, or LDAP where it is readable), and within
//! a day that account asks in somebody else's name (S4U2proxy; S4U2self where a tool asks).
//!
//! **Look-alikes.** A new server that runs a web front end. Windows asks with S4U2self for its own
//! purposes too, so that alone says nothing. Less sure where another machine than the one that
//! added it uses it.

use std::collections::BTreeSet;

use goshawk_model::{Account, Activity, Confidence, Evidence, Severity};
use serde::{Deserialize, Serialize};

use super::{S4u, S4uKind, ending};
use crate::campaign::{Campaign, Campaigns, Judgement, Story};
use crate::description::Description;
use crate::detections::Detection;
use crate::detections::asker::{Asker, who};
use crate::kinds::Kinds;
use crate::knowledge::{Stack, stacks};
use crate::scene::Scene;
use crate::words::list;

pub(in crate::detections) const DESCRIPTION: Description = Description {
    external_id: 2422,
    name: "new-computer-delegation",
    title: "Delegation by a computer added just now",
    severity: Severity::High,
    techniques: &["T1558", "T1484"],
    learning: None,
    meaning: "A computer account that was added within a day asked for tickets in other people's \
        names. That is how rights to delegate are turned into an administrator's ticket.",
    help: "Seen are computers added over SAMR and readable LDAP, and tickets asked for in \
        somebody's name.",
    look_alikes: "A new server that delegates by design on its first day.",
    remediation: &[
        "Find out who added the computer, and disable its account if nobody can explain it.",
        "Clear msDS-AllowedToActOnBehalfOfOtherIdentity of the service's account, and find out who \
         wrote it.",
        "Treat the machine whose service was asked for as taken.",
        "Set ms-DS-MachineAccountQuota to 0, and mark administrators as not to be delegated.",
    ],
};

/// Users named in a sentence.
const USERS: usize = 8;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::detections) struct NewComputer {}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::detections) struct Facts {
    granted: u64,
    /// In whose names.
    users: BTreeSet<Account>,
    /// A tool asks, or the machine that added it.
    sure: bool,
}

impl Detection for NewComputer {
    type Key = Asker;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::TGS;

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        let Some(s4u) = S4u::of(activity) else {
            return;
        };
        let asker = s4u.asker(activity, scene);
        let computers = &scene.knowledge.computers;
        let Some(added) = asker.account.as_ref().and_then(|it| computers.added(it)) else {
            return;
        };
        let by_tool = stacks::of_tgs(s4u.request).is_some_and(Stack::is_tool);
        if matches!(s4u.kind, S4uKind::Own(_)) && !by_tool {
            return;
        }
        let first = !campaigns.is_open(&asker);
        let source = s4u.source(activity, &asker, scene);
        let event = s4u.event(activity, scene);
        let Some(facts) = campaigns.record::<Self>(scene, &asker, &source, [event]) else {
            return;
        };
        facts.granted += u64::from(s4u.granted());
        facts.sure |= by_tool || added.from == asker.ip;
        let user = match s4u.kind {
            S4uKind::Own(user) => user.cloned(),
            S4uKind::Proxy(ticket) => {
                let fact = scene.knowledge.tickets.get(ticket);
                fact.and_then(|fact| fact.owner.clone())
            }
        };
        if facts.users.len() < USERS {
            facts.users.extend(user);
        }
        if first {
            let detail = format!("the computer was added from {}", scene.place(added.from));
            let before = Evidence {
                time: added.time,
                activity: added.activity,
                detail,
            };
            campaigns.attach(&asker, [before]);
        }
    }

    fn judge(campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        Judgement {
            severity: Severity::High,
            confidence: if campaign.facts.sure {
                Confidence::High
            } else {
                Confidence::Medium
            },
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let facts = &campaign.facts;
        let mut reason =
            String::from("The computer's account was added to the domain within the last day.");
        if !facts.users.is_empty() {
            reason += &format!(
                " It asked in the name of {}.",
                list(&facts.users, facts.users.len() as u64)
            );
        }
        if facts.sure {
            reason += " The machine that added it uses it itself, or a tool does.";
        }
        reason += ending(facts.granted);
        Story {
            summary: format!(
                "{} asked for tickets in other people's names.",
                who(&campaign.source, scene)
            ),
            reason,
        }
    }
}
