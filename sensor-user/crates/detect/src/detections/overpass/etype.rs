//! Overpass-the-hash by encryption type: a logon with RC4 alone, where AES is usual.
//!
//! **On the wire.** An AS-REQ that offers nothing but RC4, with a proof of that type, answered with
//! a ticket. Current systems offer AES first ([MS-KILE] 3.1.5.2), so that who offers RC4 alone has
//! an NT hash and nothing else. It is told where the request is a tool's; where Windows asks that
//! keeps AES keys of everybody who typed a password (mimikatz plants the hash without them); and
//! where the account proved itself with AES before.
//!
//! **Look-alikes.** Old machines, printers and storage boxes know RC4 only: those have logged on so
//! before, often for several accounts. While learning, what has neither a tool's nor Windows'
//! habits is only remembered. Windows XP offers DES beside RC4. FAST hides the proof.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::kerberos::{AsRequest, etype_name};
use goshawk_model::{Account, Activity, Confidence, Digest, Kind, Severity};
use serde::{Deserialize, Serialize};

use super::{Held, Logon};
use crate::campaign::{Campaign, Campaigns, Judgement, Story};
use crate::description::Description;
use crate::detections::asker::{Asker, who};
use crate::detections::{Detection, is_rc4, is_rc4_only};
use crate::kinds::Kinds;
use crate::knowledge::{Secret, Stack, stacks};
use crate::scene::Scene;
use crate::table::{Table, TableStats};
use crate::words::{count, etypes};

pub(in crate::detections) const DESCRIPTION: Description = Description {
    external_id: 2008,
    name: "overpass-the-hash-etype",
    title: "A logon with RC4 alone (overpass-the-hash)",
    severity: Severity::Medium,
    techniques: &["T1550.002"],
    learning: Some(BASELINE),
    meaning: "An account logged on with its RC4 key, which is its NT hash, although AES is usual. \
        Whoever has stolen the hash logs on so, without knowing the password.",
    help: "Seen is what the request offers and with which encryption type the proof is made. \
        Requests armoured with FAST hide it.",
    look_alikes: "Old machines, printers and storage boxes that know RC4 only. They are learned in \
        the first month; exclude those that come later.",
    remediation: &[
        "Find out what logged on at the source: if it is an old device, give it AES, or exclude it.",
        "If not, isolate the source and reset the account's password: its hash is known to the \
         attacker.",
        "Look for where the hash came from: machines on which the account logged on lately, and \
         alerts of replication (DCSync).",
        "Forbid RC4 for accounts that do not need it (msDS-SupportedEncryptionTypes 0x18).",
    ],
};

/// What knows RC4 only shows itself within a month.
const BASELINE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Machines remembered that log on with RC4 alone.
const MACHINES: usize = 16_384;
/// Accounts remembered per machine.
const PER_MACHINE: usize = 16;
/// A machine that logs on so for this many other accounts knows no better.
const OLD: usize = 2;
/// What was not seen for so long says nothing.
const FORGET: Duration = Duration::from_secs(60 * 24 * 3600);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::detections) struct OverpassEtype {
    held: Held<Why>,
    /// Machines that offer RC4 alone, and for whom.
    rc4: Table<IpAddr, BTreeSet<Account>, MACHINES>,
}

/// Why RC4 alone is no old machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Why {
    /// The account proved itself with AES before.
    AesBefore,
    /// Windows offers AES whenever a password was typed.
    Windows,
    /// A tool asked.
    Tool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::detections) struct Facts {
    why: BTreeSet<Why>,
    /// The account is known to have AES keys.
    has_aes: bool,
}

impl Detection for OverpassEtype {
    type Key = Asker;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::AS.and(Kinds::TGS);

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        _campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        match &activity.kind {
            Kind::As(exchange) if !scene.repeated => {
                let Some(request) = &exchange.request else {
                    return;
                };
                let Some(proof) = request.data.proof_etype else {
                    return;
                };
                if is_rc4(proof)
                    && is_rc4_only(&request.etypes)
                    && let Some((ticket, logon)) = Logon::of(activity, (exchange, request), scene)
                {
                    self.weigh(activity, request, (ticket, logon), scene);
                }
            }
            Kind::Tgs(exchange) => self.held.used(activity, exchange, scene),
            _ => {}
        }
    }

    fn tick(&mut self, scene: &Scene<'_>, campaigns: &mut Campaigns<Asker, Facts>) {
        while let Some((logon, why)) = self.held.due(Some(scene.now)) {
            Self::tell_of(&logon, why, scene, campaigns);
        }
        self.rc4.expire(scene.now - FORGET);
    }

    fn finish(&mut self, scene: &Scene<'_>, campaigns: &mut Campaigns<Asker, Facts>) {
        while let Some((logon, why)) = self.held.due(None) {
            Self::tell_of(&logon, why, scene, campaigns);
        }
    }

    fn judge(campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        let facts = &campaign.facts;
        let by_shape = facts.why.iter().any(|&why| why > Why::AesBefore);
        Judgement {
            severity: Severity::Medium,
            confidence: if by_shape && facts.has_aes {
                Confidence::High
            } else {
                Confidence::Medium
            },
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let facts = &campaign.facts;
        let mut reason = format!(
            "{} with RC4 alone, whose key is the account's NT hash.",
            count(campaign.count, "logon")
        );
        for why in &facts.why {
            reason += match why {
                Why::Tool => " The request is made as an attack tool makes it.",
                Why::Windows => {
                    " The request is made as Windows makes it, which has AES keys of everybody \
                     whose password was typed."
                }
                Why::AesBefore => "",
            };
        }
        if facts.has_aes {
            reason += " The account has AES keys: it proved itself with them before.";
        }
        Story {
            summary: format!(
                "{} logged on with RC4 alone, for which an NT hash is enough.",
                who(&campaign.source, scene)
            ),
            reason,
        }
    }

    fn tables(&self, into: &mut BTreeMap<&'static str, TableStats>) {
        into.insert("overpass-the-hash-etype-logons", self.held.stats());
        into.insert("overpass-the-hash-etype-machines", self.rc4.stats());
    }
}

impl OverpassEtype {
    /// Decides whether a logon with RC4 alone is news, and remembers it.
    fn weigh(
        &mut self,
        activity: &Activity,
        request: &AsRequest,
        (ticket, logon): (Digest, Logon),
        scene: &Scene<'_>,
    ) {
        let Some(account) = logon.asker.account.clone() else {
            return;
        };
        let before = self.rc4.touch(logon.asker.ip, scene.now, BTreeSet::new);
        let others = before.iter().filter(|&other| *other != account).count();
        let usual = before.contains(&account) || others >= OLD;
        let stack = stacks::of_as(request, activity.time);
        let why = match stack {
            Some(stack) if stack.is_tool() => {
                let who = (logon.asker.ip, &account);
                let secret = scene.knowledge.offers.secret(who, request, stack);
                (secret == Secret::Key).then_some(Why::Tool)
            }
            Some(Stack::Windows) if !usual => Some(Why::Windows),
            _ if !usual && has_aes(&account, scene) && !scene.learns(BASELINE) => {
                Some(Why::AesBefore)
            }
            _ => None,
        };
        match why {
            Some(why) => self.held.hold(ticket, (logon, why), scene),
            None if before.len() < PER_MACHINE => {
                before.insert(account);
            }
            None => {}
        }
    }

    fn tell_of(
        logon: &Logon,
        why: Why,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        let detail = format!(
            "a ticket was asked for with {} alone and a proof in {}, and given",
            etypes(&logon.offered),
            etype_name(logon.offered.first().copied().unwrap_or_default())
        );
        let event = logon.event(detail, scene);
        let source = logon.source(scene);
        let has_aes = logon
            .asker
            .account
            .as_ref()
            .is_some_and(|account| has_aes(account, scene));
        if let Some(facts) = campaigns.record::<Self>(scene, &logon.asker, &source, [event]) {
            facts.why.insert(why);
            facts.has_aes |= has_aes;
        }
    }
}

/// Whether the account proved itself with AES before.
fn has_aes(account: &Account, scene: &Scene<'_>) -> bool {
    let known = scene.knowledge.accounts.get(account);
    known.is_some_and(|fact| fact.has_aes)
}
