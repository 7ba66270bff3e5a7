//! Pass-the-hash, as far as the wire shows it: a tool logs on over NTLM as somebody who is elsewhere.
//!
//! **The attack.** NTLM's proof is made from the NT hash; who has the hash needs no password:
//! impacket, netexec, bloodyAD, `smbclient --pw-nt-hash`, mimikatz.
//!
//! **On the wire.** A logon like any other. What is told is one that two things speak against: its
//! AUTHENTICATE is made as tools make it (no workstation, their own flags), and the account lately
//! logged on from another machine and never from this one. The hash itself is never seen, and what
//! member servers pass on to their controllers is sealed.
//!
//! **Look-alikes.** An administrator who uses the same tools from a machine of his own: after one
//! logon with Kerberos from there it is his. Scripts that use impacket from a server under a
//! service's account are usual from their first day on, if the account is used nowhere else.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::{Activity, Confidence, Kind, Outcome, Severity};
use serde::{Deserialize, Serialize};

use super::asker::{Asker, who};
use super::{Detection, evidence};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::knowledge::{Stack, stacks};
use crate::scene::Scene;
use crate::words::list;

pub(super) const DESCRIPTION: Description = Description {
    external_id: 2017,
    name: "pass-the-hash",
    title: "A tool logged on as somebody who is elsewhere (pass-the-hash)",
    severity: Severity::High,
    techniques: &["T1550.002"],
    learning: None,
    meaning: "An account was used over NTLM by an attack tool, from a machine it does not use, \
        while its owner works elsewhere. A stolen hash is enough for that.",
    help: "Seen are NTLM logons on readable connections, how they are made, and where accounts log \
        on. Logons that member servers pass on are sealed, and the hash itself is never seen.",
    look_alikes: "Administrators who use the same tools from a second machine; exclude it.",
    remediation: &[
        "Ask the account's owner whether the logon was theirs.",
        "If not, isolate the source and reset the account's password: its hash is known.",
        "Look for where the hash was taken: machines on which the account logged on lately.",
        "Put people who administer into 'Protected Users', who cannot use NTLM.",
    ],
};

/// Who logged on somewhere within this time is at home there.
const AT_HOME: Duration = Duration::from_secs(24 * 3600);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct PassTheHash {}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    homes: BTreeSet<IpAddr>,
    tools: BTreeSet<Stack>,
}

impl Detection for PassTheHash {
    type Key = Asker;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::NTLM;

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        let Kind::Ntlm(logon) = &activity.kind else {
            return;
        };
        if activity.outcome != Outcome::Success {
            return;
        }
        let Some(tool) = stacks::of_ntlm(activity) else {
            return;
        };
        let Some(claimed) = activity
            .credentials
            .as_ref()
            .and_then(|it| it.account.as_ref())
        else {
            return;
        };
        let account = scene.knowledge.canonical_at(claimed, logon.target_info());
        if account.is_machine() {
            return;
        }
        let from = activity.client.ip;
        let known = scene.knowledge.accounts.get(&account);
        let homes: BTreeSet<_> = known
            .into_iter()
            .flat_map(|fact| fact.places(scene.now - AT_HOME))
            .collect();
        if homes.is_empty() || homes.contains(&from) {
            return;
        }
        let key = Asker {
            ip: from,
            account: Some(account.into_owned()),
        };
        let source = key.party(activity, scene);
        let event = Event {
            at: scene.at,
            evidence: evidence(
                activity,
                format!("{logon}, made as {} makes it", tool.name()),
            ),
            target: Some(scene.machine(&activity.server)),
        };
        if let Some(facts) = campaigns.record::<Self>(scene, &key, &source, [event]) {
            facts.homes.extend(homes);
            facts.tools.insert(tool);
        }
    }

    fn judge(_campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        Judgement {
            severity: Severity::High,
            confidence: Confidence::Medium,
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let facts = &campaign.facts;
        let tools = list(
            facts.tools.iter().map(|it| it.name()),
            facts.tools.len() as u64,
        );
        let homes = &facts.homes;
        let places = list(homes.iter().map(|&ip| scene.place(ip)), homes.len() as u64);
        Story {
            summary: format!(
                "{} logged on over NTLM with a tool, while the account is in use at {places}.",
                who(&campaign.source, scene)
            ),
            reason: format!(
                "The message names no workstation and is made as only {tools} makes it. Within a \
                 day the account logged on from {places}, and never from here but with the tool. \
                 Whether a password was known or a hash stolen cannot be seen."
            ),
        }
    }
}
