//! Timeroasting: collecting time signatures that are made with computers' passwords.
//!
//! **The attack.** A controller signs the time for whoever names an account by its RID, with the NT
//! hash of that account's password ([MS-SNTP] 3.2.5.1). Nobody need log on, and the signatures of
//! computers and trusts with a weak password (made by hand, or as old systems do, the computer's own
//! name) can be guessed offline: `timeroast.py`, netexec `timeroast`.
//!
//! **On the wire.** Requests for signed time ([MS-SNTP] 2.2.1) from one machine for many RIDs. A
//! computer asks for its own alone.
//!
//! **Look-alikes.** Computers behind a gateway with NAT: each asks for its own RID, seldom, and again
//! and again. A machine that was joined anew asks for its new RID. So many RIDs within minutes count,
//! and what is counted through in a row, or has no answer, counts at once: RIDs that belong to no
//! computer are not signed. Where the requests come from one gateway the finding may be honest.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::sntp::SntpExchange;
use goshawk_model::{Account, Activity, Confidence, Kind, Party, Severity};
use serde::{Deserialize, Serialize};

use super::{Detection, Mark};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;
use crate::table::{Table, TableStats};
use crate::words::count;

pub(super) const DESCRIPTION: Description = Description {
    external_id: 9001,
    name: "timeroasting",
    title: "Signed time collected for cracking (timeroasting)",
    severity: Severity::High,
    techniques: &["T1558"],
    learning: None,
    meaning: "A controller's time signatures were collected for many accounts. They are made with \
        the passwords of computers and trusts; weak ones can be guessed offline, without another \
        packet to the domain.",
    help: "Seen is every request for signed time, by the RID of the account whose key is to sign, \
        and whether it was signed. Which computer has that RID is not on the wire, nor whether a \
        password was guessed.",
    look_alikes: "Many computers behind one gateway with address translation, each of which asks \
        for its own RID.",
    remediation: &[
        "Find out what runs on the source, and isolate it if nobody can explain the requests.",
        "Look for computer accounts with old or hand-made passwords, and reset them: rejoin the \
         computers, or run Reset-ComputerMachinePassword on them.",
        "Delete computer accounts that nobody uses.",
        "Let only machines of the domain reach the controllers' port 123.",
    ],
};

/// RIDs in a row asked for by one machine within [`TOGETHER`].
const RIDS: usize = 10;
const TOGETHER: Duration = Duration::from_secs(600);
/// RIDs within [`BURST_WITHIN`]: not even a network's behind a gateway.
const BURST: usize = 10;
const BURST_WITHIN: Duration = Duration::from_secs(10);
/// Machines remembered.
const SOURCES: usize = 16_384;
/// RIDs remembered per machine.
const KEPT: usize = 64;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Timeroasting {
    sources: Table<IpAddr, BTreeMap<u32, Asked>, SOURCES>,
}

/// A RID asked for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Asked {
    mark: Mark,
    signed: Option<bool>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    signed: u64,
    rids: BTreeSet<u32>,
    /// Whether they came faster than from a network behind a gateway.
    burst: bool,
}

impl Detection for Timeroasting {
    type Key = IpAddr;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::SNTP;

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<IpAddr, Facts>,
    ) {
        let Kind::Sntp(SntpExchange { rid, signed, .. }) = &activity.kind else {
            return;
        };
        let ip = activity.client.ip;
        let asked = Asked {
            mark: Mark::new(activity, scene),
            signed: *signed,
        };
        if campaigns.is_open(&ip) {
            collected(ip, &[(*rid, asked)].into(), scene, campaigns);
            return;
        }
        let rids = self.sources.touch(ip, scene.now, BTreeMap::new);
        rids.retain(|_, before| before.mark.now + TOGETHER > scene.now);
        if rids.len() < KEPT {
            // The first of a computer's own requests stays, and grows old.
            rids.entry(*rid).or_insert(asked);
        }
        let lately = |before: &&Asked| before.mark.now + BURST_WITHIN > scene.now;
        let burst = rids.values().filter(lately).count() >= BURST;
        // A gateway's computers ask for RIDs that exist.
        let guessed = rids.values().any(|one| one.signed != Some(true));
        if burst || guessed && in_a_row(rids.keys()) >= RIDS {
            let all = self.sources.remove(&ip).unwrap_or_default();
            collected(ip, &all, scene, campaigns);
            if let Some(facts) = campaigns.facts(&ip) {
                facts.burst = burst;
            }
        }
    }

    fn tick(&mut self, scene: &Scene<'_>, _campaigns: &mut Campaigns<IpAddr, Facts>) {
        self.sources.expire(scene.now - TOGETHER);
    }

    fn judge(campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        let facts = &campaign.facts;
        let counted = in_a_row(&facts.rids) >= RIDS;
        Judgement {
            severity: Severity::High,
            confidence: if counted {
                Confidence::High
            } else {
                Confidence::Medium
            },
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let facts = &campaign.facts;
        let place = campaign
            .source
            .ip
            .map_or_else(|| "an unknown machine".to_owned(), |ip| scene.place(ip));
        let accounts = count(campaign.targets_total(), "account");
        let mut reason = format!(
            "A computer asks for time signed with its own key alone; these requests named {accounts} \
             by their numbers."
        );
        if in_a_row(&facts.rids) >= RIDS {
            reason += " The numbers were counted through.";
        }
        reason += &match facts.signed {
            0 => " None was signed, as far as seen.".to_owned(),
            n => format!(
                " {} signed: numbers that belong to no computer are not.",
                match n {
                    1 => "1 answer was".to_owned(),
                    n => format!("{n} answers were"),
                }
            ),
        };
        if !facts.burst {
            reason += " Against it speaks that they came slowly, as from many computers behind one \
                       address.";
        }
        Story {
            summary: format!(
                "Somebody at {place} asked for time signed with the keys of {accounts}."
            ),
            reason,
        }
    }

    fn tables(&self, into: &mut BTreeMap<&'static str, TableStats>) {
        into.insert("timeroasting-sources", self.sources.stats());
    }
}

fn collected(
    ip: IpAddr,
    all: &BTreeMap<u32, Asked>,
    scene: &Scene<'_>,
    campaigns: &mut Campaigns<IpAddr, Facts>,
) {
    let mut in_time: Vec<_> = all.iter().collect();
    in_time.sort_by_key(|(_, asked)| (asked.mark.at, asked.mark.activity));
    let events = in_time.iter().map(|(rid, asked)| Event {
        at: asked.mark.at,
        evidence: asked.mark.evidence(format!(
            "time signed with the key of RID {rid}: {}",
            match asked.signed {
                Some(true) => "signed",
                Some(false) => "not signed",
                None => "no answer seen",
            }
        )),
        target: Some(Party {
            account: Some(Account::new(&format!("rid {rid}"), "")),
            ..Party::default()
        }),
    });
    let source = scene.machine(&ip.into());
    let Some(facts) = campaigns.record::<Timeroasting>(scene, &ip, &source, events) else {
        return;
    };
    for (rid, asked) in all {
        facts.signed += u64::from(asked.signed == Some(true));
        if facts.rids.len() < KEPT {
            facts.rids.insert(*rid);
        }
    }
}

/// The longest row of numbers that follow each other.
fn in_a_row<'a>(rids: impl IntoIterator<Item = &'a u32>) -> usize {
    let mut longest = 0;
    let mut row: usize = 0;
    let mut last = None;
    for &rid in rids {
        row = if last == rid.checked_sub(1) {
            row + 1
        } else {
            1
        };
        longest = longest.max(row);
        last = Some(rid);
    }
    longest
}
