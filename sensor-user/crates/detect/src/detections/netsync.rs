//! NetSync: a controller's stolen secret is used to read passwords over Netlogon.
//!
//! **The attack.** Backup controllers of old fetched single computers' passwords with
//! `NetrServerPasswordGet` and `NetrServerTrustPasswordsGet` ([MS-NRPC] 3.5.4.4.8). Whoever has a
//! controller's secret may still, from anywhere: mimikatz `lsadump::netsync`. It is DCSync without
//! replication.
//!
//! **On the wire.** Operation 31 or 42 of `netlogon`, over a secure channel of a controller's type
//! (6), from a machine that is none. The calls may be sealed; operation numbers and the opening of
//! the channel never are.
//!
//! **Look-alikes.** Controllers among themselves: those that are trusted are exempt. A computer that
//! reads its own password back is none of this.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::rpc::{NETLOGON, NetlogonArguments, RpcArguments, RpcCall, SecureChannel};
use goshawk_model::{Activity, Confidence, Kind, Outcome, Severity};
use serde::{Deserialize, Serialize};

use super::asker::who;
use super::{Detection, evidence};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::knowledge::Standing;
use crate::scene::Scene;
use crate::table::{Table, TableStats};
use crate::words::count;

pub(super) const DESCRIPTION: Description = Description {
    external_id: 9010,
    name: "netsync",
    title: "Passwords read over Netlogon by no controller (NetSync)",
    severity: Severity::High,
    techniques: &["T1003.006"],
    learning: None,
    meaning: "A machine that is no domain controller read the password hash of another account \
        over a secure channel. It takes the secret of a controller to be allowed to.",
    help: "Seen are the operations that hand out passwords and the account in whose name the \
        channel was opened. Whose password was read may be sealed.",
    look_alikes: "Domain controllers that are not configured; list them as controllers.",
    remediation: &[
        "If the source is a domain controller, add it to the controllers.",
        "If not, isolate it, and reset the password of the controller's account that was used, and \
         that of the account whose hash was read, twice each.",
        "Find out how the controller's secret was stolen: replication, backups, Zerologon.",
    ],
};

/// `NetrServerPasswordGet` and `NetrServerTrustPasswordsGet` ([MS-NRPC] 3.5.4).
const PASSWORD_GET: [u16; 2] = [31, 42];
/// `ServerSecureChannel` ([MS-NRPC] 2.2.1.3.13).
const CONTROLLER: u32 = 6;
/// Secure channels remembered.
const CHANNELS: usize = 8_192;
/// A secure channel lasts while its computer runs.
const LASTS: Duration = Duration::from_secs(24 * 3600);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct NetSync {
    /// Machine → the controllers' channel it opened last: in whose name.
    channels: Table<IpAddr, Box<str>, CHANNELS>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    /// In whose name the channel was opened.
    channel: Option<Box<str>>,
    /// Whose password was asked for, where it was readable.
    whose: Option<Box<str>>,
    granted: u64,
}

impl Detection for NetSync {
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
        if call.interface != Some(NETLOGON) {
            return;
        }
        let from = activity.client.ip;
        if let Some(channel) = opened(call)
            && activity.outcome == Outcome::Success
        {
            if channel.channel_type == CONTROLLER {
                *self.channels.touch(from, scene.now, Box::default) = channel.account.clone();
            } else {
                self.channels.remove(&from);
            }
            return;
        }
        if !PASSWORD_GET.contains(&call.opnum) || scene.standing(from).is_trusted() {
            return;
        }
        let read = match &call.arguments {
            Some(RpcArguments::Netlogon(NetlogonArguments::PasswordGet { channel })) => {
                Some(channel)
            }
            _ => None,
        };
        // Its own password a computer may well want back.
        if read.is_some_and(is_own) {
            return;
        }
        let channel = self.channels.get(&from).cloned();
        if read.is_none() && channel.is_none() {
            return;
        }
        let event = Event {
            at: scene.at,
            evidence: evidence(activity, call.to_string()),
            target: Some(scene.machine(&activity.server)),
        };
        let source = scene.machine(&activity.client);
        let Some(facts) = campaigns.record::<Self>(scene, &from, &source, [event]) else {
            return;
        };
        facts.channel = channel.or_else(|| facts.channel.take());
        if let Some(read) = read {
            facts.whose = Some(read.account.clone());
        }
        facts.granted += u64::from(activity.outcome == Outcome::Success);
    }

    fn tick(&mut self, scene: &Scene<'_>, _campaigns: &mut Campaigns<IpAddr, Facts>) {
        self.channels.expire(scene.now - LASTS);
    }

    fn judge(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Judgement {
        let standing = campaign.source.ip.map(|ip| scene.standing(ip));
        let confidence = match standing {
            Some(Standing::Unknown) | None if campaign.facts.channel.is_some() => Confidence::High,
            Some(Standing::Unknown) | None => Confidence::Medium,
            Some(_) => Confidence::Low,
        };
        Judgement {
            severity: Severity::High,
            confidence,
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let facts = &campaign.facts;
        let whose = facts.whose.as_deref().unwrap_or("an account");
        let mut reason = format!(
            "{} of passwords over Netlogon; only controllers have reason to.",
            count(campaign.count, "reading")
        );
        if let Some(channel) = &facts.channel {
            reason += &format!(" The secure channel was opened as the controller {channel}.");
        }
        if facts.granted == 0 {
            reason += " None was answered, as far as was seen; the attempt shows the intent.";
        }
        if facts.whose.is_none() {
            reason += " Whose password was read is sealed.";
        }
        Story {
            summary: format!(
                "{} asked for the password of {whose} over Netlogon.",
                who(&campaign.source, scene)
            ),
            reason,
        }
    }

    fn tables(&self, into: &mut BTreeMap<&'static str, TableStats>) {
        into.insert("netsync-channels", self.channels.stats());
    }
}

fn opened(call: &RpcCall) -> Option<&SecureChannel> {
    match &call.arguments {
        Some(RpcArguments::Netlogon(NetlogonArguments::Authenticate { channel, .. })) => {
            Some(channel)
        }
        _ => None,
    }
}

fn is_own(channel: &SecureChannel) -> bool {
    let account = channel.account.trim_end_matches('$');
    let computer = channel.computer.trim_start_matches('\\');
    account.eq_ignore_ascii_case(computer)
}
