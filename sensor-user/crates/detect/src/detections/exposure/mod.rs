//! Exposure: what is no attack, and makes one easy: passwords in the clear, old protocols, old
//! ciphers, sessions of nobody.
//!
//! All of it is grouped: one alert for an account at a machine, and no second one for the same
//! within a day, however often it happens. It is told with low severity, for it is a state to be
//! mended and nobody's deed; what is refused is not exposed and stays silent. An intruder's own tools
//! expose nothing but him: what comes from where an attack is told, before or shortly after, is left out.

pub(super) mod anonymous;
pub(super) mod clear_passwords;
pub(super) mod ntlmv1;
pub(super) mod smb1;
pub(super) mod unsigned_ldap;
pub(super) mod weak_tickets;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::{Account, Activity, Confidence, Party, Severity};
use serde::{Deserialize, Serialize};

use super::asker::Asker;
use super::{Detection, evidence};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Readiness, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;
use crate::table::{Table, TableStats};
use crate::words::{count, list};

/// What was told is not told again for so long.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// A state is in no hurry: so long it is waited whether its source turns out to be an intruder's.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// Machines remembered that show an exposure.
const SHOWN_BY: usize = 16;
/// Exposed accounts and machines remembered, of each weakness.
const TOLD: usize = 16_384;

/// One kind of exposure.
pub(super) trait Weakness: Default {
    const DESCRIPTION: &'static Description;
    const LISTENS: Kinds;
    /// What its table is called.
    const TABLE: &'static str;
    /// What the exposed side does, for a sentence: `sends its password in the clear to`.
    const DOES: &'static str;

    /// Whether `activity` shows it, and of whom.
    fn shown(activity: &Activity, scene: &Scene<'_>) -> Option<Shown>;
}

/// An exposure seen.
pub(super) struct Shown {
    /// What is told together.
    pub(super) key: Exposed,
    /// What is told once a day.
    pub(super) once: Exposed,
    pub(super) source: Party,
    pub(super) target: Party,
}

/// What is exposed: an account, a machine, or an account at a machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Exposed {
    pub(super) ip: Option<IpAddr>,
    pub(super) account: Option<Account>,
}

impl Shown {
    /// The client shows it, towards the server.
    fn by(asker: &Asker, activity: &Activity, scene: &Scene<'_>) -> Self {
        let key = Exposed {
            ip: Some(asker.ip),
            account: asker.account.clone(),
        };
        Self {
            source: asker.party(activity, scene),
            target: scene.machine(&activity.server),
            once: key.clone(),
            key,
        }
    }
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            Some(ip) => write!(f, "{ip} ")?,
            None => f.write_str("- ")?,
        }
        f.write_str(self.account.as_ref().map_or("-", Account::as_str))
    }
}

/// The rule that all weaknesses share.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Exposure<W> {
    told: Table<Exposed, (), TOLD>,
    #[serde(skip)]
    weakness: PhantomData<W>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    /// Whose traffic shows it.
    shown_by: BTreeSet<IpAddr>,
}

impl<W: Weakness> Detection for Exposure<W> {
    type Key = Exposed;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = W::DESCRIPTION;
    const LISTENS: Kinds = W::LISTENS;

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Exposed, Facts>,
    ) {
        let Some(shown) = W::shown(activity, scene) else {
            return;
        };
        let by = activity.client.ip;
        if scene.knowledge.suspects.has(by) {
            return;
        }
        let known = self.told.get(&shown.once).is_some();
        if known && !campaigns.is_open(&shown.key) {
            return;
        }
        let event = Event {
            at: scene.at,
            evidence: evidence(activity, activity.kind.to_string()),
            target: Some(shown.target),
        };
        let recorded = campaigns.record::<Self>(scene, &shown.key, &shown.source, [event]);
        let Some(facts) = recorded else {
            return;
        };
        if facts.shown_by.len() < SHOWN_BY {
            facts.shown_by.insert(by);
        }
        if !known {
            self.told.touch(shown.once, scene.now, || ());
        }
    }

    fn readiness(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Readiness {
        let suspects = &scene.knowledge.suspects;
        let shown_by = &campaign.facts.shown_by;
        if shown_by.iter().all(|&ip| suspects.has(ip)) {
            Readiness::Drop
        } else if campaign.start + PATIENCE > scene.now {
            Readiness::Wait
        } else {
            Readiness::Tell
        }
    }

    fn tick(&mut self, scene: &Scene<'_>, _campaigns: &mut Campaigns<Exposed, Facts>) {
        self.told.expire(scene.now - DAY);
    }

    fn judge(_campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        Judgement {
            severity: Severity::Low,
            confidence: Confidence::High,
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let place = |party: &Party| match (&party.account, party.ip) {
            (Some(account), _) => account.to_string(),
            (None, Some(ip)) => scene.place(ip),
            (None, None) => "an unknown machine".to_owned(),
        };
        let source = &campaign.source;
        let who = match (&source.account, source.ip) {
            (Some(account), Some(ip)) => format!("{account} at {}", scene.place(ip)),
            _ => place(source),
        };
        let targets = list(campaign.targets.iter().map(place), campaign.targets_total());
        Story {
            summary: format!("{who} {} {targets}.", W::DOES),
            reason: format!(
                "{} It was seen {}; it is told once a day.",
                W::DESCRIPTION.meaning,
                count(campaign.count, "time")
            ),
        }
    }

    fn tables(&self, into: &mut BTreeMap<&'static str, TableStats>) {
        into.insert(W::TABLE, self.told.stats());
    }
}
