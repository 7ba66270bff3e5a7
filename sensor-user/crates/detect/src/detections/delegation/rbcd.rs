//! Resource-based delegation in use by a computer's account in a tool's hands, and granted by one.
//!
//! **The attack.** `msDS-AllowedToActOnBehalfOfOtherIdentity` of a computer says who may come to it
//! in other people's names, and the computer itself may write it. So a computer's logon that is
//! relayed to LDAP writes the attacker's account there, and that account then asks for an
//! administrator's ticket: impacket `ntlmrelayx --delegate-access`, then `getST`.
//!
//! **On the wire.** The modification, where LDAP is readable, in the name of a computer. Then
//! S4U2self and S4U2proxy by a computer's account, in the dialect of impacket, which no computer
//! speaks (`knowledge::stacks`). An account added within a day is reported on its own.
//!
//! **Look-alikes.** Web front ends delegate under their computer's account; they speak Windows' or
//! MIT's dialect. Administrators write the attribute in their own names.

use std::collections::BTreeSet;

use goshawk_model::ldap::Operation;
use goshawk_model::{Account, Activity, Confidence, Kind, Outcome, Party, Severity};
use serde::{Deserialize, Serialize};

use super::{S4u, S4uKind, ending};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::detections::asker::{Asker, who};
use crate::detections::{Detection, evidence};
use crate::kinds::Kinds;
use crate::knowledge::{Stack, stacks};
use crate::scene::Scene;
use crate::words::list;

pub(in crate::detections) const DESCRIPTION: Description = Description {
    external_id: 2423,
    name: "rbcd-abuse",
    title: "Resource-based delegation granted or used by a computer's account",
    severity: Severity::High,
    techniques: &["T1558", "T1484"],
    learning: None,
    meaning: "A computer's account was allowed to delegate by another computer, or asks in other \
        people's names with an attack tool. It ends with an administrator's ticket to the computer \
        that allowed it.",
    help: "Seen are writes to the attribute in readable LDAP, and how tickets are asked for on \
        behalf of users.",
    look_alikes: "Testers who use the same tools; exclude their machine.",
    remediation: &[
        "Clear msDS-AllowedToActOnBehalfOfOtherIdentity of the computer concerned.",
        "Isolate the source, and reset the computer account that was used.",
        "Treat the machine whose service was asked for as taken.",
        "Require signatures and channel binding for LDAP, and set ms-DS-MachineAccountQuota to 0.",
    ],
};

const ATTRIBUTE: &str = "msds-allowedtoactonbehalfofotheridentity";
/// Users named in a sentence.
const USERS: usize = 8;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::detections) struct Rbcd {}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::detections) struct Facts {
    granted: u64,
    written: bool,
    asked: bool,
    users: BTreeSet<Account>,
}

impl Detection for Rbcd {
    type Key = Asker;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::TGS.and(Kinds::LDAP);

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        if let Kind::Ldap(operation) = &activity.kind {
            let Operation::Modify(Some(modified)) = &operation.operation else {
                return;
            };
            let mut changes = modified.changes.iter();
            if changes.any(|change| *change.modification.name == *ATTRIBUTE) {
                written(activity, &modified.object, scene, campaigns);
            }
            return;
        }
        let Some(s4u) = S4u::of(activity) else {
            return;
        };
        if !stacks::of_tgs(s4u.request).is_some_and(Stack::is_tool) {
            return;
        }
        let asker = s4u.asker(activity, scene);
        let Some(account) = asker.account.as_ref().filter(|it| it.is_machine()) else {
            return;
        };
        if scene.knowledge.computers.added(account).is_some() {
            return;
        }
        let source = s4u.source(activity, &asker, scene);
        let event = s4u.event(activity, scene);
        if let Some(facts) = campaigns.record::<Self>(scene, &asker, &source, [event]) {
            facts.asked = true;
            facts.granted += u64::from(s4u.granted());
            if let S4uKind::Own(Some(user)) = s4u.kind
                && facts.users.len() < USERS
            {
                facts.users.insert(user.clone());
            }
        }
    }

    fn judge(_campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        Judgement {
            severity: Severity::High,
            confidence: Confidence::High,
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let facts = &campaign.facts;
        let who = who(&campaign.source, scene);
        let mut reason = String::new();
        if facts.written {
            reason += "A computer has no reason to let another account come to it in other people's \
                       names; administrators do that, in their own name.";
        }
        if facts.asked {
            let space = if facts.written { " " } else { "" };
            reason += &format!(
                "{space}Tickets were asked for as only impacket asks, with a computer's account."
            );
            if !facts.users.is_empty() {
                let users = list(&facts.users, facts.users.len() as u64);
                reason += &format!(" It asked in the name of {users}.");
            }
        }
        reason += ending(facts.granted);
        let done = match (facts.written, facts.asked) {
            (true, true) => "allowed an account to delegate, and one asked in other people's names",
            (true, false) => "allowed another account to come in other people's names",
            _ => "asked for tickets in other people's names with a tool",
        };
        Story {
            summary: format!("{who} {done}."),
            reason,
        }
    }
}

/// The attribute was written: news if a computer did it.
fn written(
    activity: &Activity,
    object: &str,
    scene: &Scene<'_>,
    campaigns: &mut Campaigns<Asker, Facts>,
) {
    let asker = Asker::of(activity, scene);
    if !asker.account.as_ref().is_some_and(Account::is_machine) {
        return;
    }
    let source = asker.party(activity, scene);
    let event = Event {
        at: scene.at,
        evidence: evidence(activity, format!("{ATTRIBUTE} of {object} was written")),
        target: Some(Party {
            account: Account::from_dn(object),
            ..scene.machine(&activity.server)
        }),
    };
    if let Some(facts) = campaigns.record::<Rbcd>(scene, &asker, &source, [event]) {
        facts.written = true;
        facts.granted += u64::from(activity.outcome == Outcome::Success);
    }
}
