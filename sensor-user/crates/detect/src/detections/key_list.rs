//! Key list: a forged ticket of a read-only controller is turned into long-term keys.
//!
//! **The attack.** A read-only controller has a krbtgt key of its own. Whoever stole it makes
//! tickets with it and asks a full controller for another ticket together with the account's
//! long-term keys (`KERB-KEY-LIST-REQ`, [MS-KILE] 2.2.11): hashes of everybody whose secrets may be
//! cached there, without replication: impacket `keylistattack`, `secretsdump -use-keylist`, Rubeus.
//!
//! **On the wire.** TGS requests for a new ticket-granting ticket with padata 161.
//!
//! **Look-alikes.** Read-only controllers ask so, and every Windows client that logs on by Windows
//! Hello or a security key with cloud trust: once, for its own user, in Windows' dialect. Told is
//! what asks for several accounts, or in no dialect that Windows has. Trusted controllers are
//! exempt, machines seen acting as controllers lower confidence.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::kerberos::Answer;
use goshawk_model::{Account, Activity, Confidence, Kind, Party, Severity};
use serde::{Deserialize, Serialize};

use super::asker::who;
use super::{Detection, Mark};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::knowledge::{Stack, Standing, stacks};
use crate::scene::Scene;
use crate::table::{Table, TableStats};
use crate::words::{count, list};

pub(super) const DESCRIPTION: Description = Description {
    external_id: 9011,
    name: "key-list",
    title: "Long-term keys asked for with a ticket (key list)",
    severity: Severity::High,
    techniques: &["T1558.001", "T1003"],
    learning: None,
    meaning: "Somebody asked a domain controller for the long-term keys of accounts. It takes the \
        krbtgt key of a read-only controller; the keys are as good as passwords.",
    help: "Seen is the request for keys and for whom it was answered.",
    look_alikes: "Read-only controllers; list them as controllers. Windows Hello and security keys \
        with cloud trust ask for their own user's key.",
    remediation: &[
        "If the source is a read-only controller, add it to the controllers.",
        "If not, isolate it, and reset the krbtgt account of the read-only controller.",
        "Reset the passwords of the accounts whose keys were handed out.",
        "Keep what may be cached on read-only controllers short ('Allowed RODC Password \
         Replication Group').",
    ],
};

/// Machines remembered that asked for keys.
const SOURCES: usize = 16_384;
/// Accounts for which one machine asks, to be more than a shared computer's users.
const SEVERAL: usize = 4;
/// Within this time.
const TOGETHER: Duration = Duration::from_secs(600);
/// Requests kept per machine.
const KEPT: usize = 16;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct KeyList {
    asked: Table<IpAddr, Vec<Asked>, SOURCES>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Asked {
    mark: Mark,
    account: Option<Account>,
    granted: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    granted: u64,
    /// The request is not made as Windows makes it.
    foreign: bool,
    accounts: BTreeSet<Account>,
}

impl Detection for KeyList {
    type Key = IpAddr;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::TGS;

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<IpAddr, Facts>,
    ) {
        let Kind::Tgs(exchange) = &activity.kind else {
            return;
        };
        let Some(request) = exchange.request.as_ref() else {
            return;
        };
        let from = activity.client.ip;
        if request.data.key_list.is_empty() || scene.repeated || scene.standing(from).is_trusted() {
            return;
        }
        let one = Asked {
            mark: Mark::new(activity, scene),
            account: exchange.client.clone(),
            granted: matches!(exchange.answer, Answer::Issued { .. }),
        };
        let foreign = stacks::of_tgs(request) != Some(Stack::Windows);
        let asked = self.asked.touch(from, scene.now, Vec::new);
        asked.retain(|one| one.mark.now + TOGETHER > scene.now);
        if asked.len() < KEPT {
            asked.push(one);
        }
        let accounts: BTreeSet<_> = asked
            .iter()
            .filter_map(|one| one.account.as_ref())
            .collect();
        if !foreign && accounts.len() < SEVERAL && !campaigns.is_open(&from) {
            return;
        }
        let all = std::mem::take(asked);
        let source = scene.machine(&activity.client);
        let events = all.iter().map(|one| Event {
            at: one.mark.at,
            evidence: one.mark.evidence(format!(
                "the keys of {} were asked for{}",
                name(one.account.as_ref()),
                if one.granted { " and given" } else { "" }
            )),
            target: Some(Party {
                account: one.account.clone(),
                ..scene.machine(&activity.server)
            }),
        });
        if let Some(facts) = campaigns.record::<Self>(scene, &from, &source, events) {
            facts.foreign |= foreign;
            for one in all {
                facts.granted += u64::from(one.granted);
                facts
                    .accounts
                    .extend(one.account.filter(|_| facts.accounts.len() < KEPT));
            }
        }
    }

    fn tick(&mut self, scene: &Scene<'_>, _campaigns: &mut Campaigns<IpAddr, Facts>) {
        self.asked.expire(scene.now - TOGETHER);
    }

    fn judge(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Judgement {
        let standing = campaign.source.ip.map(|ip| scene.standing(ip));
        Judgement {
            severity: Severity::High,
            confidence: match standing {
                Some(Standing::Unknown) | None if campaign.facts.foreign => Confidence::High,
                Some(Standing::Unknown) | None => Confidence::Medium,
                Some(_) => Confidence::Low,
            },
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let facts = &campaign.facts;
        let accounts = match facts.accounts.len() {
            0 => "accounts that only the answers would name".to_owned(),
            total => list(&facts.accounts, total as u64),
        };
        let mut reason = format!(
            "{} for long-term keys; read-only controllers alone ask for other people's.",
            count(campaign.count, "request")
        );
        if facts.foreign {
            reason += " The request is not made as Windows makes it.";
        }
        reason += match facts.granted {
            0 => " None was granted; the attempt shows the intent.",
            _ => " The controller handed keys out.",
        };
        Story {
            summary: format!(
                "{} asked for the long-term keys of {accounts}.",
                who(&campaign.source, scene)
            ),
            reason,
        }
    }

    fn tables(&self, into: &mut BTreeMap<&'static str, TableStats>) {
        into.insert("key-list-sources", self.asked.stats());
    }
}

fn name(account: Option<&Account>) -> &str {
    account.map_or("an account", Account::as_str)
}
