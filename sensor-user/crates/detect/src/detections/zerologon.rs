//! Netlogon privilege elevation: a secure channel opened with nothing but zeros (CVE-2020-1472,
//! "Zerologon").
//!
//! **The attack.** Netlogon's AES mode used a fixed start for its cipher, so that a challenge of
//! zeros has a credential of zeros for one session key in 256. Who tries often enough is any
//! computer, the domain controller included, and sets its password to nothing: mimikatz
//! `lsadump::zerologon`, many scripts.
//!
//! **On the wire.** `NetrServerReqChallenge` with a uniform challenge, then
//! `NetrServerAuthenticate3` (or 2, or 1) with a credential of zeros, again and again
//! ([MS-NRPC] 3.5.4.4.2); on success `NetrServerPasswordSet2` with an authenticator of zeros. One
//! credential of zeros is enough to know: chance makes one in 2^64.
//!
//! **Look-alikes.** None honest; scanners for the flaw do the same.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::rpc::{NetlogonArguments, RpcArguments};
use goshawk_model::{Activity, Confidence, Kind, Outcome, Severity};
use serde::{Deserialize, Serialize};

use super::asker::who;
use super::{Detection, evidence};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;
use crate::table::{Table, TableStats};
use crate::words::count;

pub(super) const DESCRIPTION: Description = Description {
    external_id: 2411,
    name: "zerologon",
    title: "Netlogon channel opened with zeros (Zerologon)",
    severity: Severity::High,
    techniques: &["T1210", "T1068"],
    learning: None,
    meaning: "Somebody tried to become a computer, a domain controller as a rule, without knowing \
        its password. Where it succeeds, the password can be emptied and the domain taken.",
    help: "Seen are challenges and credentials of secure channels, which are never sealed, and \
        whether the controller accepted one.",
    look_alikes: "Vulnerability scanners that test for the flaw; exclude their machine.",
    remediation: &[
        "Isolate the source, unless it is your own scanner.",
        "If the controller accepted: treat the domain as taken. Restore the computer's password \
         (netdom resetpwd, samba-tool), look for replication since, reset krbtgt twice.",
        "Install the fixes for CVE-2020-1472 and enforce secure RPC on every controller.",
    ],
};

/// Machines remembered that sent uniform challenges.
const SOURCES: usize = 4_096;
/// Uniform challenges that no chance makes, where no credential was read.
const CHALLENGES: u32 = 3;
/// They belong together within this time.
const TOGETHER: Duration = Duration::from_secs(600);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Zerologon {
    challenges: Table<IpAddr, u32, SOURCES>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    /// Whom it was tried to be.
    accounts: std::collections::BTreeSet<Box<str>>,
    accepted: bool,
    password_set: bool,
}

impl Detection for Zerologon {
    type Key = IpAddr;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::RPC;

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<IpAddr, Facts>,
    ) {
        let Kind::Rpc(call) = &activity.kind else {
            return;
        };
        let Some(RpcArguments::Netlogon(arguments)) = &call.arguments else {
            return;
        };
        let from = activity.client.ip;
        let (account, set) = match arguments {
            NetlogonArguments::Authenticate {
                channel,
                zero_credential: true,
                ..
            } => (&channel.account, false),
            NetlogonArguments::PasswordSet {
                channel,
                zero_credential: true,
            } => (&channel.account, true),
            NetlogonArguments::Challenge {
                computer,
                uniform_challenge: true,
            } => {
                let sent = self.challenges.touch(from, scene.now, || 0);
                *sent = sent.saturating_add(1);
                if *sent < CHALLENGES || campaigns.is_open(&from) {
                    return;
                }
                (computer, false)
            }
            _ => return,
        };
        let granted = activity.outcome == Outcome::Success;
        let event = Event {
            at: scene.at,
            evidence: evidence(activity, format!("{call}: {}", ending(activity.outcome))),
            target: Some(scene.machine(&activity.server)),
        };
        let source = scene.machine(&activity.client);
        let Some(facts) = campaigns.record::<Self>(scene, &from, &source, [event]) else {
            return;
        };
        const ACCOUNTS: usize = 8;
        if facts.accounts.len() < ACCOUNTS {
            facts.accounts.insert(account.clone());
        }
        let proved = matches!(arguments, NetlogonArguments::Authenticate { .. });
        facts.accepted |= granted && (proved || set);
        facts.password_set |= granted && set;
    }

    fn tick(&mut self, scene: &Scene<'_>, _campaigns: &mut Campaigns<IpAddr, Facts>) {
        self.challenges.expire(scene.now - TOGETHER);
    }

    fn judge(_campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        Judgement {
            severity: Severity::High,
            confidence: Confidence::High,
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let facts = &campaign.facts;
        let accounts: Vec<_> = facts.accounts.iter().collect();
        let whom = crate::words::list(&accounts, accounts.len() as u64);
        let mut reason = format!(
            "{} with a challenge or credential of zeros, which clients choose at random.",
            count(campaign.count, "call")
        );
        reason += match (facts.password_set, facts.accepted) {
            (true, _) => {
                " The controller accepted and set a new password: whoever did it owns the account."
            }
            (false, true) => " The controller accepted: it has the flaw.",
            (false, false) => {
                " None was accepted, as far as was seen; the attempt shows the intent."
            }
        };
        Story {
            summary: format!(
                "{} tried to open a secure channel as {whom} with zeros.",
                who(&campaign.source, scene)
            ),
            reason,
        }
    }

    fn tables(&self, into: &mut BTreeMap<&'static str, TableStats>) {
        into.insert("zerologon-sources", self.challenges.stats());
    }
}

fn ending(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "accepted",
        Outcome::Failure => "refused",
        Outcome::Unknown => "no answer seen",
    }
}
