//! Account enumeration over Kerberos: trying names to learn which exist.
//!
//! **The attack.** A KDC answers differently for names that exist and names that do not, without
//! any logon. A list of likely names yields the accounts to spray or roast: kerbrute `userenum`,
//! nmap `krb5-enum-users`, impacket, Rubeus `preauthscan`.
//!
//! **On the wire.** AS-REQs without proof. `KDC_ERR_C_PRINCIPAL_UNKNOWN` says that a name does not
//! exist; `KDC_ERR_PREAUTH_REQUIRED`, `KDC_ERR_CLIENT_REVOKED` or a ticket that it does (RFC 4120
//! 3.1.3, 7.5.9).
//!
//! **Look-alikes.** Somebody mistypes a name, once or twice; a machine that was deleted retries
//! with its one name; joining a domain looks for a name that is not there yet. All of them try few
//! names. Behind a terminal server or NAT many people mistype; while those who log on outnumber
//! the unknown names, it takes more. A name of another realm (`KDC_ERR_WRONG_REALM`) is not
//! unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::kerberos::{Answer, error, error_name};
use goshawk_model::{Account, Activity, Confidence, Kind, Party, Severity};
use serde::{Deserialize, Serialize};

use super::{Detection, Mark, is_busy, proves_identity};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;
use crate::table::{Table, TableStats};
use crate::words::{count, list};

pub(super) const DESCRIPTION: Description = Description {
    external_id: 2003,
    name: "account-enumeration",
    title: "Account names tried over Kerberos (enumeration)",
    severity: Severity::Medium,
    techniques: &["T1087.002"],
    learning: None,
    meaning: "Somebody tries names to learn which accounts exist. It takes no password, and \
        guessing passwords or roasting usually follows.",
    help: "Seen is every name that is asked for and whether the controller knew it. A name counts \
        as found if it exists and its owner did not log on from there.",
    look_alikes: "People who mistype their names; scanners of one's own, to be excluded.",
    remediation: &[
        "Find out what runs on the source, and isolate it if nobody can explain the requests.",
        "Watch the accounts that were found: expect guessed passwords and roasting next.",
        "Check that these accounts have strong passwords and require pre-authentication.",
        "Let only machines of the domain reach the controllers' port 88.",
    ],
};

/// Unknown names from one source within [`TOGETHER`].
const UNKNOWN: usize = 5;
const TOGETHER: Duration = Duration::from_secs(600);
/// A name that exists is somebody's logon if a proof follows within this time: `kinit` asks for the
/// ticket first and for the password then.
const LOGS_ON_WITHIN: Duration = Duration::from_secs(60);
/// A number of unknown names that leaves little doubt.
const MANY: u64 = 10;
/// Sources remembered.
const SOURCES: usize = 16_384;
/// Names remembered per source, known and unknown each. Fewer than these are ever undecided: a
/// source with more unknown ones is no busy host any more.
const NAMES: usize = 64;
/// Found accounts remembered by name per campaign.
const NAMED: usize = 256;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct AccountEnumeration {
    sources: Table<IpAddr, Source, SOURCES>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Source {
    /// Names that do not exist. By name alone: with and without realm it is one guess.
    unknown: BTreeMap<Box<str>, (Account, Mark)>,
    /// Names that exist and whose owner has not logged on yet → the answer; 0 is a ticket.
    known: BTreeMap<Account, (Mark, i32)>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    found: BTreeSet<Account>,
}

impl Detection for AccountEnumeration {
    type Key = IpAddr;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::AS;

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<IpAddr, Facts>,
    ) {
        let Kind::As(exchange) = &activity.kind else {
            return;
        };
        let Some(account) = exchange.client.as_ref().filter(|_| !scene.repeated) else {
            return;
        };
        let ip = activity.client.ip;
        let request = exchange.request.as_ref();
        let proved = request.is_some_and(|request| proves_identity(&request.padata));
        let code = match exchange.answer {
            Answer::Issued { .. } if proved => {
                if let Some(source) = self.sources.get_mut(&ip) {
                    source.known.remove(account);
                }
                return;
            }
            Answer::Issued { .. } => 0,
            Answer::Refused(code) => code,
            Answer::Unseen => return,
        };
        let mark = Mark::new(activity, scene);
        if code == error::C_PRINCIPAL_UNKNOWN {
            self.unknown(ip, account, mark, scene, campaigns);
        } else if tells_that_it_exists(code) {
            let source = self.sources.touch(ip, scene.now, Source::default);
            source.forget(scene);
            if source.known.len() < NAMES {
                source.known.entry(account.clone()).or_insert((mark, code));
            }
        }
    }

    fn tick(&mut self, scene: &Scene<'_>, campaigns: &mut Campaigns<IpAddr, Facts>) {
        self.settle(scene, campaigns, LOGS_ON_WITHIN);
        self.sources.expire(scene.now - TOGETHER);
    }

    fn finish(&mut self, scene: &Scene<'_>, campaigns: &mut Campaigns<IpAddr, Facts>) {
        self.settle(scene, campaigns, Duration::ZERO);
    }

    fn judge(campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        Judgement {
            severity: Severity::Medium,
            confidence: if campaign.targets_total() >= MANY {
                Confidence::High
            } else {
                Confidence::Medium
            },
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let place = campaign
            .source
            .ip
            .map_or_else(|| "an unknown machine".to_owned(), |ip| scene.place(ip));
        let found = &campaign.facts.found;
        let number = found.len() as u64;
        let result = match number {
            0 => "none was found to exist".to_owned(),
            _ => format!(
                "{} found to exist: {}",
                if number == 1 {
                    "1 was".to_owned()
                } else {
                    format!("{number} were")
                },
                list(found, number)
            ),
        };
        Story {
            summary: format!(
                "Somebody at {place} tried {}; {result}.",
                count(campaign.targets_total(), "account name")
            ),
            reason: "Most of the names do not exist, so they were guessed or taken from a list; \
                     mistyping yields one or two. Names count as found where the controller's \
                     answer shows that they exist and nobody logged on with them from there."
                .to_owned(),
        }
    }

    fn tables(&self, into: &mut BTreeMap<&'static str, TableStats>) {
        into.insert("account-enumeration-sources", self.sources.stats());
    }
}

impl AccountEnumeration {
    fn unknown(
        &mut self,
        ip: IpAddr,
        account: &Account,
        mark: Mark,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<IpAddr, Facts>,
    ) {
        if campaigns.is_open(&ip) {
            tried(
                ip,
                [(account, mark, error::C_PRINCIPAL_UNKNOWN)],
                scene,
                campaigns,
            );
            return;
        }
        let source = self.sources.touch(ip, scene.now, Source::default);
        source.forget(scene);
        if source.unknown.len() < NAMES {
            source
                .unknown
                .entry(account.name().into())
                .or_insert_with(|| (account.clone(), mark));
        }
        let names = source.unknown.len();
        if names >= UNKNOWN && !is_busy(ip, names, TOGETHER, scene) {
            let unknown = std::mem::take(&mut source.unknown);
            let mut in_time: Vec<_> = unknown.values().collect();
            in_time.sort_by_key(|(_, mark)| (mark.at, mark.activity));
            let names = in_time
                .into_iter()
                .map(|(account, mark)| (account, *mark, error::C_PRINCIPAL_UNKNOWN));
            tried(ip, names, scene, campaigns);
        }
    }

    /// Counts names as found whose owners had their time to log on.
    fn settle(
        &mut self,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<IpAddr, Facts>,
        grace: Duration,
    ) {
        for ip in campaigns.keys() {
            let Some(source) = self.sources.get_mut(&ip) else {
                continue;
            };
            let found: BTreeMap<_, _> = source
                .known
                .extract_if(.., |_, (mark, _)| mark.now + grace <= scene.now)
                .collect();
            let names = found
                .iter()
                .map(|(account, (mark, code))| (account, *mark, *code));
            tried(ip, names, scene, campaigns);
            if let Some(facts) = campaigns.facts(&ip) {
                let room = NAMED.saturating_sub(facts.found.len());
                facts.found.extend(found.into_keys().take(room));
            }
        }
    }
}

impl Source {
    fn forget(&mut self, scene: &Scene<'_>) {
        let fresh = |mark: &Mark| mark.now + TOGETHER > scene.now;
        self.unknown.retain(|_, (_, mark)| fresh(mark));
        self.known.retain(|_, (mark, _)| fresh(mark));
    }
}

fn tried<'a>(
    ip: IpAddr,
    names: impl IntoIterator<Item = (&'a Account, Mark, i32)>,
    scene: &Scene<'_>,
    campaigns: &mut Campaigns<IpAddr, Facts>,
) {
    let source = scene.machine(&ip.into());
    let events = names.into_iter().map(|(account, mark, code)| Event {
        at: mark.at,
        evidence: mark.evidence(match code {
            0 => format!("{account} exists: a ticket was given without proof"),
            error::C_PRINCIPAL_UNKNOWN => format!("{account} does not exist"),
            code => format!("{account} exists: {}", error_name(code)),
        }),
        target: Some(Party {
            account: Some(account.clone()),
            ..Party::default()
        }),
    });
    campaigns.record::<AccountEnumeration>(scene, &ip, &source, events);
}

/// Answers that a KDC gives only for accounts it knows. A wrong password is another attack's.
fn tells_that_it_exists(code: i32) -> bool {
    matches!(
        code,
        0 | error::ETYPE_NOSUPP
            | error::CLIENT_REVOKED
            | error::KEY_EXPIRED
            | error::PREAUTH_REQUIRED
    )
}
