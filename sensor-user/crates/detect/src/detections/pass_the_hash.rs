//! Pass-the-hash, as far as the wire shows it: a tool logs on over NTLM as somebody who is elsewhere.
//!
//! **The attack.** NTLM's proof is made from the NT hash; who has the hash needs no password:
//! impacket, netexec, `smbclient --pw-nt-hash`, mimikatz.
//!
//! **On the wire.** A logon like any other. What is told is one that two things speak against: its
//! AUTHENTICATE is made as impacket makes it (no workstation, its own flags), and the account lately
//! logged on from another machine and never from this one. The hash itself is never seen, and what
//! member servers pass on to their controllers is sealed.
//!
//! **Look-alikes.** An administrator who uses the same tools from a machine of his own: after one
//! logon with Kerberos from there it is his. Scripts that use impacket from a server under a
//! service's account are usual from their first day on, if the account is used nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::ntlm::{NtResponse, NtlmAuthenticate};
use goshawk_model::{Account, Activity, Confidence, Kind, Outcome, Severity};
use serde::{Deserialize, Serialize};

use super::asker::{Asker, who};
use super::{Detection, evidence};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;
use crate::table::{Table, TableStats};
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

/// Accounts remembered with the machines they log on from.
const ACCOUNTS: usize = 65_536;
/// Machines remembered per account, the latest.
const PLACES: usize = 8;
/// Who logged on somewhere within this time is at home there.
const AT_HOME: Duration = Duration::from_secs(24 * 3600);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct PassTheHash {
    /// Where accounts log on without a tool.
    places: Table<Account, Vec<IpAddr>, ACCOUNTS>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    homes: BTreeSet<IpAddr>,
}

impl Detection for PassTheHash {
    type Key = Asker;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::NTLM.and(Kinds::TGS);

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        let from = activity.client.ip;
        if activity.outcome != Outcome::Success {
            return;
        }
        let logon = match &activity.kind {
            Kind::Ntlm(logon) => logon,
            Kind::Tgs(_) => {
                if let Some(account) = scene.knowledge.asker(activity) {
                    self.at_home(account, from, scene);
                }
                return;
            }
            _ => return,
        };
        let (Some(authenticate), Some(actor)) = (&logon.authenticate, &activity.actor) else {
            return;
        };
        let account = scene.knowledge.complete(actor.account.clone());
        if account.is_machine() {
            return;
        }
        if !is_tools(authenticate) {
            self.at_home(&account, from, scene);
            return;
        }
        let Some(places) = self.places.get(&account) else {
            return;
        };
        if places.contains(&from) {
            return;
        }
        let homes: BTreeSet<_> = places.iter().copied().collect();
        let key = Asker {
            ip: from,
            account: Some(account),
        };
        let source = key.party(activity, scene);
        let event = Event {
            at: scene.at,
            evidence: evidence(activity, format!("{logon}, made as impacket makes it")),
            target: Some(scene.machine(&activity.server)),
        };
        if let Some(facts) = campaigns.record::<Self>(scene, &key, &source, [event]) {
            facts.homes.extend(homes);
        }
    }

    fn tick(&mut self, scene: &Scene<'_>, _campaigns: &mut Campaigns<Asker, Facts>) {
        self.places.expire(scene.now - AT_HOME);
    }

    fn judge(_campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        Judgement {
            severity: Severity::High,
            confidence: Confidence::Medium,
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let homes = &campaign.facts.homes;
        let places = list(homes.iter().map(|&ip| scene.place(ip)), homes.len() as u64);
        Story {
            summary: format!(
                "{} logged on over NTLM with a tool, while the account is in use at {places}.",
                who(&campaign.source, scene)
            ),
            reason: format!(
                "The message names no workstation and is made as only impacket makes it. Within a \
                 day the account logged on from {places}, and never from here but with the tool. \
                 Whether a password was known or a hash stolen cannot be seen."
            ),
        }
    }

    fn tables(&self, into: &mut BTreeMap<&'static str, TableStats>) {
        into.insert("pass-the-hash-accounts", self.places.stats());
    }
}

impl PassTheHash {
    fn at_home(&mut self, account: &Account, from: IpAddr, scene: &Scene<'_>) {
        let places = self.places.touch(account.clone(), scene.now, Vec::new);
        if !places.contains(&from) {
            if places.len() >= PLACES {
                places.remove(0);
            }
            places.push(from);
        }
    }
}

/// Whether an AUTHENTICATE is made as impacket makes it: its own flags, no workstation, no word on
/// the machine; a version, if any, that it always pretends.
fn is_tools(authenticate: &NtlmAuthenticate) -> bool {
    const FLAGS: [u32; 2] = [0xe088_8235, 0xe288_8235];
    const PRETENDED: u16 = 19_041;
    FLAGS.contains(&authenticate.flags)
        && authenticate.workstation.is_none()
        && authenticate.nt_response == NtResponse::Ntlmv2
        && !authenticate.target_info.single_host
        && authenticate
            .version
            .is_none_or(|version| version.build == PRETENDED)
}
