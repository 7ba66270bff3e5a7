//! From events to campaigns: one attack is one alert, however many packets it takes.
//!
//! A rule that is convinced records events under a grouping key. The first one opens a campaign
//! and raises its alert; later ones update it, at most once a minute unless severity or confidence
//! change; after a stretch of quiet it is closed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use goshawk_model::{
    Account, Alert, AlertId, Confidence, Digest, Evidence, Party, Severity, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::detections::Detection;
use crate::engine::Output;
use crate::scene::Scene;

/// A campaign with no event for this long is over.
const QUIET: Duration = Duration::from_secs(30 * 60);
/// The least time between two updates that change neither severity nor confidence.
const UPDATE_EVERY: Duration = Duration::from_secs(60);
/// The span of [`Limits::alerts_per_hour`](crate::Limits).
const HOUR: Duration = Duration::from_secs(3600);
/// Targets that all open campaigns of a detection together tell apart; beyond, `targets_total` is
/// a lower bound.
const MAX_COUNTED: usize = 200_000;
/// The first pieces of evidence are kept for good, the others are the latest.
const FIRST_EVIDENCE: usize = Alert::MAX_EVIDENCE / 2;

/// One thing that belongs to a campaign.
pub(crate) struct Event {
    /// When, in the engine's time.
    pub(crate) at: Timestamp,
    /// The activity in words.
    pub(crate) evidence: Evidence,
    /// On whom.
    pub(crate) target: Option<Party>,
}

/// How bad it is, and how likely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Judgement {
    pub(crate) severity: Severity,
    pub(crate) confidence: Confidence,
}

/// Whether a campaign that was not told yet is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Tell,
    /// It is in no hurry, and something may come to light.
    Wait,
    /// Something came to light.
    Drop,
}

/// What a detection tells people about a campaign.
pub(crate) struct Story {
    /// One sentence: who did what to whom.
    pub(crate) summary: String,
    /// Why that is bad; what speaks for and against it.
    pub(crate) reason: String,
}

/// An attack under way. `F` is what its detection remembers of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Campaign<F> {
    id: AlertId,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    /// The latest event by the engine's clock.
    heard: Timestamp,
    pub(crate) source: Party,
    pub(crate) targets: BTreeSet<Party>,
    /// Digests of targets beyond those listed.
    counted: BTreeSet<Digest>,
    pub(crate) count: u64,
    first: Vec<Evidence>,
    latest: VecDeque<Evidence>,
    pub(crate) facts: F,
    /// 0 until raised.
    revision: u32,
    told_at: Timestamp,
    told: Option<Judgement>,
    /// Whether something happened since it was told last.
    news: bool,
}

/// What became of a detection's findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CampaignStats {
    /// Alerts raised.
    pub raised: u64,
    /// Findings not raised because the hour's alerts were used up.
    pub capped: u64,
    /// Events that an exclusion covers.
    pub excluded: u64,
    /// Campaigns closed before they were quiet, to make room.
    pub closed_early: u64,
    /// Targets that were not told apart any more.
    pub uncounted: u64,
}

/// The open campaigns of one detection.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(
    default,
    bound = "K: Ord + Serialize + serde::de::DeserializeOwned, F: Serialize + serde::de::DeserializeOwned"
)]
pub(crate) struct Campaigns<K, F> {
    open: BTreeMap<K, Campaign<F>>,
    /// When the last hour's alerts were raised.
    raised: VecDeque<Timestamp>,
    counted: usize,
    stats: CampaignStats,
    /// Keys recorded under since the last [`settle`](Self::settle).
    #[serde(skip)]
    touched: BTreeSet<K>,
}

impl<K, F> Default for Campaigns<K, F> {
    fn default() -> Self {
        Self {
            open: BTreeMap::new(),
            raised: VecDeque::new(),
            counted: 0,
            stats: CampaignStats::default(),
            touched: BTreeSet::new(),
        }
    }
}

impl<F> Campaign<F> {
    /// Targets in all, listed or not.
    pub(crate) fn targets_total(&self) -> u64 {
        (self.targets.len() + self.counted.len()) as u64
    }

    fn add(&mut self, event: Event, now: Timestamp) -> Counted {
        self.start = self.start.min(event.at);
        self.end = self.end.max(event.at);
        self.heard = now;
        self.count += 1;
        self.news = true;
        self.keep(event.evidence);
        let Some(target) = event.target else {
            return Counted::Known;
        };
        if self.targets.contains(&target) {
            return Counted::Known;
        }
        if self.targets.len() < Alert::MAX_TARGETS {
            self.targets.insert(target);
            return Counted::Known;
        }
        let ip = target.ip.map(|ip| ip.to_string()).unwrap_or_default();
        let account = target
            .account
            .as_ref()
            .map_or("", |account| account.as_str());
        Counted::Beyond(Digest::of(&[ip.as_bytes(), account.as_bytes()]))
    }

    fn keep(&mut self, evidence: Evidence) {
        if self.first.len() < FIRST_EVIDENCE {
            self.first.push(evidence);
            return;
        }
        if self.latest.len() >= Alert::MAX_EVIDENCE - FIRST_EVIDENCE {
            self.latest.pop_front();
        }
        self.latest.push_back(evidence);
    }
}

/// Whether an event's target has a place in the list.
enum Counted {
    Known,
    Beyond(Digest),
}

impl<K: Ord + Clone + std::fmt::Display, F: Default> Campaigns<K, F> {
    /// What is remembered of the open campaign under `key`.
    pub(crate) fn facts(&mut self, key: &K) -> Option<&mut F> {
        self.open.get_mut(key).map(|campaign| &mut campaign.facts)
    }

    /// Like [`facts`](Self::facts), when the caller is about to change them: the change is news.
    pub(crate) fn change(&mut self, key: &K) -> Option<&mut F> {
        let campaign = self.open.get_mut(key)?;
        campaign.news = true;
        self.touched.insert(key.clone());
        Some(&mut campaign.facts)
    }

    /// The account that acts has proved itself since the campaign was opened.
    pub(crate) fn acts_as(&mut self, key: &K, account: &Account) {
        if let Some(campaign) = self.open.get_mut(key) {
            campaign.source.account = Some(account.clone());
        }
    }

    /// The keys of the open campaigns.
    pub(crate) fn keys(&self) -> Vec<K> {
        self.open.keys().cloned().collect()
    }

    /// Adds to the evidence what belongs to the campaign without counting as an event of it.
    pub(crate) fn attach(&mut self, key: &K, evidence: impl IntoIterator<Item = Evidence>) {
        if let Some(campaign) = self.open.get_mut(key) {
            evidence.into_iter().for_each(|one| campaign.keep(one));
            campaign.news = true;
            self.touched.insert(key.clone());
        }
    }

    /// Whether a campaign is open under `key`.
    pub(crate) fn is_open(&self, key: &K) -> bool {
        self.open.contains_key(key)
    }

    /// Records `events`, opening a campaign if none is open; returns what it remembers.
    ///
    /// `None` if every event is excluded, or if the hour's alerts are used up.
    pub(crate) fn record<D: Detection<Key = K, Facts = F>>(
        &mut self,
        scene: &Scene<'_>,
        key: &K,
        source: &Party,
        events: impl IntoIterator<Item = Event>,
    ) -> Option<&mut F> {
        let description = D::DESCRIPTION;
        let mut excluded = 0;
        let mut events = events
            .into_iter()
            .filter(|event| {
                let covered = scene.settings.exclusions.iter().any(|exclusion| {
                    exclusion.covers(
                        description.external_id,
                        event.at,
                        source,
                        event.target.as_ref(),
                    )
                });
                excluded += u64::from(covered);
                !covered
            })
            .peekable();
        let opening = events.peek().map(|first| first.at);
        let may_open = opening.filter(|_| !self.open.contains_key(key));
        if let Some(start) = may_open {
            let limits = scene.settings.limits;
            while self
                .raised
                .front()
                .is_some_and(|&past| past + HOUR <= scene.now)
            {
                self.raised.pop_front();
            }
            if self.raised.len() >= limits.alerts_per_hour {
                self.stats.capped += 1;
                self.stats.excluded += excluded;
                return None;
            }
            let id = Digest::of(&[
                scene.settings.sensor.as_bytes(),
                &description.external_id.to_be_bytes(),
                key.to_string().as_bytes(),
                &start.as_nanos().to_be_bytes(),
            ]);
            self.raised.push_back(scene.now);
            self.open.insert(
                key.clone(),
                Campaign {
                    id,
                    start,
                    end: start,
                    heard: scene.now,
                    source: source.clone(),
                    targets: BTreeSet::new(),
                    counted: BTreeSet::new(),
                    count: 0,
                    first: Vec::new(),
                    latest: VecDeque::new(),
                    facts: F::default(),
                    revision: 0,
                    told_at: scene.now,
                    told: None,
                    news: true,
                },
            );
        }
        let campaign = self.open.get_mut(key);
        if let Some(campaign) = campaign {
            for event in events {
                if let Counted::Beyond(target) = campaign.add(event, scene.now) {
                    if self.counted >= MAX_COUNTED {
                        self.stats.uncounted += 1;
                    } else if campaign.counted.insert(target) {
                        self.counted += 1;
                    }
                }
            }
        }
        self.stats.excluded += excluded;
        opening?;
        self.touched.insert(key.clone());
        self.facts(key)
    }

    /// Tells what is to be told of the campaigns that were recorded under.
    pub(crate) fn settle<D: Detection<Key = K, Facts = F>>(
        &mut self,
        scene: &Scene<'_>,
        out: &mut Vec<Output>,
    ) {
        while let Some(key) = self.touched.pop_first() {
            if let Some(campaign) = self.open.get_mut(&key) {
                match campaign.readiness::<D>(scene) {
                    Readiness::Tell => {
                        self.stats.raised += u64::from(campaign.revision == 0);
                        campaign.tell_if_due::<D>(scene, out);
                    }
                    Readiness::Wait => {}
                    Readiness::Drop => drop(self.take(&key)),
                }
            }
        }
        while self.open.len() > scene.settings.limits.open_campaigns {
            let quietest = self
                .open
                .iter()
                .min_by_key(|(_, campaign)| (campaign.heard, campaign.start))
                .map(|(key, _)| key.clone());
            let Some(key) = quietest else { break };
            self.stats.closed_early += 1;
            out.extend(self.close::<D>(&key, scene));
        }
    }

    /// Whether nothing was recorded since the last [`settle`](Self::settle).
    pub(crate) fn is_settled(&self) -> bool {
        self.touched.is_empty()
    }

    /// Looks at every open campaign: updates those with news, closes those that are quiet.
    pub(crate) fn sweep<D: Detection<Key = K, Facts = F>>(
        &mut self,
        scene: &Scene<'_>,
        out: &mut Vec<Output>,
    ) {
        let mut over = Vec::new();
        for (key, campaign) in &mut self.open {
            match campaign.readiness::<D>(scene) {
                _ if campaign.heard + QUIET <= scene.now => over.push(key.clone()),
                Readiness::Tell => {
                    self.stats.raised += u64::from(campaign.revision == 0);
                    campaign.tell_if_due::<D>(scene, out);
                }
                Readiness::Wait => {}
                Readiness::Drop => over.push(key.clone()),
            }
        }
        for key in over {
            out.extend(self.close::<D>(&key, scene));
        }
    }

    /// Closes every campaign in its final state.
    pub(crate) fn close_all<D: Detection<Key = K, Facts = F>>(
        &mut self,
        scene: &Scene<'_>,
        out: &mut Vec<Output>,
    ) {
        while let Some(key) = self.open.keys().next().cloned() {
            out.extend(self.close::<D>(&key, scene));
        }
    }

    /// Campaigns open now.
    pub(crate) fn open_count(&self) -> usize {
        self.open.len()
    }

    /// What became of the findings.
    pub(crate) fn stats(&self) -> CampaignStats {
        self.stats
    }

    fn close<D: Detection<Key = K, Facts = F>>(
        &mut self,
        key: &K,
        scene: &Scene<'_>,
    ) -> Option<Output> {
        let mut campaign = self.take(key)?;
        if campaign.readiness::<D>(scene) == Readiness::Drop {
            return None;
        }
        self.stats.raised += u64::from(campaign.revision == 0);
        let judgement = D::judge(&campaign, scene);
        if campaign.news || campaign.told != Some(judgement) {
            campaign.revision += 1;
        }
        Some(Output::Closed(campaign.alert::<D>(judgement, scene)))
    }

    fn take(&mut self, key: &K) -> Option<Campaign<F>> {
        let campaign = self.open.remove(key)?;
        self.counted = self.counted.saturating_sub(campaign.counted.len());
        Some(campaign)
    }
}

impl<F> Campaign<F> {
    /// What was told once is told to its end.
    fn readiness<D: Detection<Facts = F>>(&self, scene: &Scene<'_>) -> Readiness {
        match self.revision {
            0 => D::readiness(self, scene),
            _ => Readiness::Tell,
        }
    }

    fn tell_if_due<D: Detection<Facts = F>>(&mut self, scene: &Scene<'_>, out: &mut Vec<Output>) {
        let judgement = D::judge(self, scene);
        let judged_anew = self.told != Some(judgement);
        let due = self.news && self.told_at + UPDATE_EVERY <= scene.now;
        if !judged_anew && !due {
            return;
        }
        self.revision += 1;
        self.told_at = scene.now;
        self.told = Some(judgement);
        self.news = false;
        let alert = self.alert::<D>(judgement, scene);
        out.push(if self.revision == 1 {
            Output::Raised(alert)
        } else {
            Output::Updated(alert)
        });
    }

    fn alert<D: Detection<Facts = F>>(&self, judgement: Judgement, scene: &Scene<'_>) -> Alert {
        let description = D::DESCRIPTION;
        let named = |party: &Party| Party {
            host: party
                .ip
                .and_then(|ip| scene.host_name(ip))
                .or_else(|| party.host.clone()),
            ..party.clone()
        };
        let story = D::tell(self, scene);
        let mut evidence: Vec<_> = self.first.iter().chain(&self.latest).cloned().collect();
        evidence.sort_by_key(|one| one.time);
        Alert {
            id: self.id,
            revision: self.revision,
            external_id: description.external_id,
            title: description.title.to_owned(),
            severity: judgement.severity,
            confidence: judgement.confidence,
            start: self.start,
            end: self.end,
            techniques: D::techniques(self)
                .iter()
                .map(|&technique| technique.to_owned())
                .collect(),
            source: named(&self.source),
            targets: self.targets.iter().map(named).collect(),
            targets_total: self.targets_total(),
            count: self.count,
            summary: story.summary,
            reason: story.reason,
            remediation: description
                .remediation
                .iter()
                .map(|&step| step.to_owned())
                .collect(),
            sensor: scene.settings.sensor.to_string(),
            evidence,
        }
    }
}
