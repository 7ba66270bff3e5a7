//! Trying names to learn which accounts exist, over any protocol that tells names that exist from
//! names that do not. The rules that look for it differ in what they listen to and what they say.
//!
//! **Look-alikes.** Somebody mistypes a name, once or twice; a machine that was deleted retries with
//! its one name; joining a domain looks for a name that is not there yet. All of them try few names.
//! Behind a terminal server or NAT many people mistype; while those who log on outnumber the unknown
//! names, it takes more. Folders remember SIDs of accounts that are long gone, and showing them asks
//! for each: so unknown numbers count much less than unknown names.

mod answer;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;
use std::time::Duration;

use goshawk_model::{Account, Activity, Confidence, Party, Severity};
use serde::{Deserialize, Serialize};

use super::asker::Asker;
use super::{Detection, Mark, is_busy};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;
use crate::table::{Table, TableStats};
use crate::words::{count, list};
use answer::{Answer, Over};
pub(super) use answer::{Tell, kerberos, ntlm, ping, rpc};
use source::Source;

/// Unknown names from one source within [`TOGETHER`].
const UNKNOWN: usize = 5;
/// Unknown SIDs or RIDs.
const UNKNOWN_NUMBERS: usize = 16;
const TOGETHER: Duration = Duration::from_secs(600);
/// A name that exists is somebody's logon if a proof follows within this time: `kinit` asks for the
/// ticket first and for the password then.
const LOGS_ON_WITHIN: Duration = Duration::from_secs(60);
/// A number of unknown names that leaves little doubt.
const MANY: u64 = 10;
/// Askers remembered.
const ASKERS: usize = 16_384;
/// Found accounts remembered by name per campaign.
const NAMED: usize = 256;

/// What one of the rules listens to, and what it says.
pub(super) trait Way: Default {
    const DESCRIPTION: &'static Description;
    const LISTENS: Kinds;
    /// The name of its table.
    const TABLE: &'static str;
    /// Names in all, known or not, that nobody honest asks for in this way; `None` where knowing
    /// names are asked for every day.
    const TOO_MANY: Option<usize>;

    /// The names that `activity` asks for, each with what the answer tells of it.
    fn asked(activity: &Activity, scene: &Scene<'_>, tell: Tell<'_>);
}

/// The rule for one way to ask.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, bound = "")]
pub(super) struct Enumerating<W: Default> {
    askers: Table<Asker, Source, ASKERS>,
    #[serde(skip)]
    way: PhantomData<W>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    found: BTreeSet<Account>,
    over: BTreeSet<Over>,
}

/// A name asked for, and what is known of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Asked {
    account: Account,
    mark: Mark,
    answer: Answer,
}

impl<W: Way> Detection for Enumerating<W> {
    type Key = Asker;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = W::DESCRIPTION;
    const LISTENS: Kinds = W::LISTENS;

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        if scene.repeated {
            return;
        }
        W::asked(activity, scene, &mut |name, answer| {
            let asker = Asker {
                ip: activity.client.ip,
                account: name.asker,
            };
            if answer == Answer::LoggedOn {
                if let Some(source) = self.askers.get_mut(&asker) {
                    source.logged_on(&name.account);
                }
                return;
            }
            let asked = Asked {
                account: name.account.into_owned(),
                mark: Mark::new(activity, scene),
                answer,
            };
            if answer.exists() {
                let source = self.askers.touch(asker.clone(), scene.now, Source::default);
                source.known(asked, scene);
            } else {
                self.unknown(&asker, asked, scene, campaigns);
            }
            self.weigh_number(&asker, scene, campaigns);
        });
    }

    fn tick(&mut self, scene: &Scene<'_>, campaigns: &mut Campaigns<Asker, Facts>) {
        self.settle(scene, campaigns, LOGS_ON_WITHIN);
        self.askers.expire(scene.now - TOGETHER);
    }

    fn finish(&mut self, scene: &Scene<'_>, campaigns: &mut Campaigns<Asker, Facts>) {
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
        let who = match &campaign.source.account {
            Some(account) => format!("{account}, from {place},"),
            None => format!("Somebody at {place}"),
        };
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
        let names = count(campaign.targets_total(), "account name");
        let over = &campaign.facts.over;
        let over = list(over, over.len() as u64);
        Story {
            summary: format!("{who} tried {names} over {over}; {result}."),
            reason: "Names that do not exist were guessed or taken from a list; mistyping yields \
                     one or two. Names count as found where the controller's answer shows that \
                     they exist and nobody logged on with them from there."
                .to_owned(),
        }
    }

    fn tables(&self, into: &mut BTreeMap<&'static str, TableStats>) {
        into.insert(W::TABLE, self.askers.stats());
    }
}

impl<W: Way> Enumerating<W> {
    fn unknown(
        &mut self,
        asker: &Asker,
        asked: Asked,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        if campaigns.is_open(asker) {
            tried::<W>(asker, &[asked], scene, campaigns);
            return;
        }
        let source = self.askers.touch(asker.clone(), scene.now, Source::default);
        source.unknown(asked, scene);
        let (names, numbers) = source.unknown_counts();
        let enough = names >= UNKNOWN || numbers >= UNKNOWN_NUMBERS;
        if enough && !is_busy(asker.ip, names.max(numbers), TOGETHER, scene) {
            let all = source.take_unknown();
            tried::<W>(asker, &all, scene, campaigns);
        }
    }

    /// Where even names that exist are not asked for in numbers.
    fn weigh_number(
        &mut self,
        asker: &Asker,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        let Some(source) = W::TOO_MANY.and_then(|_| self.askers.get_mut(asker)) else {
            return;
        };
        if !campaigns.is_open(asker) && Some(source.total()) >= W::TOO_MANY {
            let all = source.take_unknown();
            let known = source.take_known(Duration::ZERO, scene);
            tried::<W>(asker, &[all, known].concat(), scene, campaigns);
        }
    }

    /// Counts names as found whose owners had their time to log on.
    fn settle(
        &mut self,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
        grace: Duration,
    ) {
        for asker in campaigns.keys() {
            if let Some(source) = self.askers.get_mut(&asker) {
                let known = source.take_known(grace, scene);
                if !known.is_empty() {
                    tried::<W>(&asker, &known, scene, campaigns);
                }
            }
        }
    }
}

fn tried<W: Way>(
    asker: &Asker,
    names: &[Asked],
    scene: &Scene<'_>,
    campaigns: &mut Campaigns<Asker, Facts>,
) {
    let source = Party {
        account: asker.account.clone(),
        ..scene.machine(&asker.ip.into())
    };
    let events = names.iter().map(|asked| Event {
        at: asked.mark.at,
        evidence: asked
            .mark
            .evidence(format!("{} {}", asked.account, asked.answer)),
        target: Some(Party {
            account: Some(asked.account.clone()),
            ..Party::default()
        }),
    });
    if let Some(facts) = campaigns.record::<Enumerating<W>>(scene, asker, &source, events) {
        facts
            .over
            .extend(names.iter().map(|asked| asked.answer.over()));
        let room = NAMED.saturating_sub(facts.found.len());
        let found = names.iter().filter(|asked| asked.answer.exists());
        let found = found.map(|asked| asked.account.clone());
        facts.found.extend(found.take(room));
    }
}
