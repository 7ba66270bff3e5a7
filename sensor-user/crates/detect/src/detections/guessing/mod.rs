//! Guessing passwords, over any protocol: many for one account (brute force), or one for many
//! accounts (spray). The rules that look for it differ in what they listen to and what they say.
//!
//! **Look-alikes.** People mistype: a few failures, then a logon, which wipes them out. Several who
//! share an address (a gateway with NAT, a terminal server, a server that asks a controller on
//! behalf of its users) mistype as well, so unless accounts fail faster than people type, each has a
//! minute to log on, and while those who log on outnumber those who fail it takes more of them. Of a
//! slow spray from among many people only those accounts count that were never seen there.
//! Clients that ask twice, as Windows does, or a second controller at once, make two failures of one
//! try. A service with a stale password fails for ever, evenly or not: failures of one account that
//! are no faster than a service's are an exposure of low severity and a campaign of their own, and
//! silent while the sensor learns; who looped then is not told of later. Somebody who guesses slowly
//! knows what locks an account, stops one short of it and waits until that is forgotten; where the
//! threshold is known, such rounds are told apart from a loop. A computer whose own
//! account is broken retries as well; machine passwords are not guessable, so one of them is no
//! brute force; several from one place count as a spray, since a password that equals the
//! computer's name is tried just so.

mod attempt;
mod source;
mod story;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::{Account, Activity, Party, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Detection, Mark, evidence, is_busy};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::knowledge::Tool;
use crate::scene::Scene;
use crate::table::{Table, TableStats};
pub(super) use attempt::{Attempt, kerberos, ldap, ntlm, smb1};
use attempt::{Over, Refusal, Verdict};
use source::{Failure, Source};

pub(super) const GUESSING: &str = "T1110.001";
pub(super) const SPRAYING: &str = "T1110.003";
/// What is relative to a baseline is learned this long.
pub(super) const LEARNING: Duration = Duration::from_secs(7 * 24 * 3600);

/// Wrong passwords of one account from one source within [`BRUTE_WITHIN`]: more than people try
/// before they ask for help, and than most lockout policies let them.
const BRUTE: usize = 8;
const BRUTE_WITHIN: Duration = Duration::from_secs(600);
/// Accounts that fail from one source within [`SPRAY_WITHIN`] and do not log on afterwards.
const SPRAY: usize = 5;
const SPRAY_WITHIN: Duration = Duration::from_secs(1800);
/// The same for sprays that take their time: one account every hour or half.
const SLOW_SPRAY: usize = 12;
const SLOW_SPRAY_WITHIN: Duration = Duration::from_secs(12 * 3600);
/// Where so many people log on within that time, some fail every day, and it takes more: accounts that
/// were never seen there.
const CROWD: usize = 3 * SLOW_SPRAY;
const SLOW_SPRAY_IN_A_CROWD: usize = 20;
/// Who has mistyped logs on within this time.
const LOGS_ON_WITHIN: Duration = Duration::from_secs(60);
/// Wrong passwords of one account from [`SHARERS`] sources within [`BRUTE_WITHIN`].
const SHARED: usize = 20;
const SHARERS: usize = 3;
/// So many failures of a campaign within [`HASTE_WITHIN`] are a program's that guesses.
const HASTE: usize = 8;
const HASTE_WITHIN: Duration = Duration::from_secs(8);

/// Rounds of tries that each end one short of what locks the account, and the pause between them where
/// the policy does not say how long wrong passwords are counted together.
const CAREFUL_ROUNDS: usize = 3;
const ROUNDS_APART: Duration = Duration::from_secs(10 * 60);

/// Sources, and accounts, whose failures are remembered.
const SOURCES: usize = 16_384;
const VICTIMS: usize = 16_384;
/// Failures remembered per account that several sources share.
const SHARED_FAILURES: usize = 64;
/// Sources whose accounts are given time to log on.
const WAITING: usize = 1_024;
/// Accounts that failed again and again while the sensor learned.
const LOOPS: usize = 4_096;
/// Accounts remembered by name per campaign.
const NAMED: usize = 256;

/// What one of the rules listens to, and what it says.
pub(super) trait Way: Default {
    const DESCRIPTION: &'static Description;
    const LISTENS: Kinds;
    /// Names of the tables of sources, of victims, and of loops.
    const TABLES: [&'static str; 3];

    /// The password tried in `activity`, if any, and with which tool.
    fn attempt<'a>(
        activity: &'a Activity,
        scene: &Scene<'_>,
    ) -> Option<(Attempt<'a>, Option<Tool>)>;
}

/// The rule for one way to guess.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, bound = "")]
pub(super) struct Guessing<W: Default> {
    sources: Table<IpAddr, Source, SOURCES>,
    victims: Table<Account, VecDeque<(IpAddr, Failure)>, VICTIMS>,
    /// Sources with failures of several accounts, which may still log on.
    waiting: BTreeSet<IpAddr>,
    /// Accounts that failed again and again, and where, while the sensor learned.
    loops: Table<(IpAddr, Account), (), LOOPS>,
    /// Failures forgotten because their source, or account, had too many.
    forgotten: u64,
    #[serde(skip)]
    way: PhantomData<W>,
}

/// Who is suspected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Suspect {
    /// A source.
    Source(IpAddr),
    /// Many that share the work on one account.
    SharersOn(Account),
    /// A source that fails with one account at no great speed, more likely a service than somebody
    /// who guesses.
    Loop(IpAddr, Account),
}

impl fmt::Display for Suspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(ip) => ip.fmt(f),
            Self::SharersOn(account) => account.fmt(f),
            Self::Loop(ip, account) => write!(f, "{ip} {account}"),
        }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    /// Accounts that failed → how often.
    failed: BTreeMap<Account, u64>,
    /// Accounts that failed and whose password was right then, from there.
    found: BTreeSet<Account>,
    /// Accounts that logged on from there for the first time while others failed.
    newcomers: BTreeSet<Account>,
    /// By which protocols.
    over: BTreeSet<Over>,
    /// Sources, where several share the work.
    sharers: BTreeSet<IpAddr>,
    /// What the client was recognised as.
    tools: BTreeSet<Tool>,
    /// Whether an account is among them that matters more than others.
    sensitive: bool,
    /// Whether an account was locked.
    locked: bool,
    /// Whether the one account had logged on from there before, as that of a service has.
    at_home: bool,
    /// Tries in a round and the threshold below which they stay, where they do.
    careful: Option<u32>,
    /// When the latest failures were.
    latest: VecDeque<Timestamp>,
    /// Whether they ever came faster than a person's or a service's.
    hasty: bool,
}

impl<W: Way> Detection for Guessing<W> {
    type Key = Suspect;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = W::DESCRIPTION;
    const LISTENS: Kinds = W::LISTENS;

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Suspect, Facts>,
    ) {
        if scene.repeated {
            return;
        }
        let Some((attempt, tool)) = W::attempt(activity, scene) else {
            return;
        };
        match attempt.verdict {
            Verdict::Right => self.logged_on(activity, &attempt, scene, campaigns),
            Verdict::Wrong(refusal) => {
                let account = attempt.account(scene);
                self.failed(activity, (&account, refusal, tool), scene, campaigns);
            }
            // Locked, by these very failures: disabled accounts are refused so as well.
            Verdict::Locked(refusal) => {
                let account = attempt.account(scene);
                let ip = activity.client.ip;
                let mut counts = self.sources.get(&ip).is_some_and(|one| one.has(&account));
                for suspect in [
                    Suspect::Source(ip),
                    Suspect::Loop(ip, account.clone().into_owned()),
                ] {
                    if let Some(facts) = campaigns.facts(&suspect)
                        && facts.failed.contains_key(&*account)
                    {
                        facts.locked = true;
                        counts = true;
                    }
                }
                if counts {
                    self.failed(activity, (&account, refusal, tool), scene, campaigns);
                }
            }
        }
    }

    fn tick(&mut self, scene: &Scene<'_>, campaigns: &mut Campaigns<Suspect, Facts>) {
        self.decide(LOGS_ON_WITHIN, scene, campaigns);
        self.sources.expire(scene.now - SLOW_SPRAY_WITHIN);
        self.victims.expire(scene.now - BRUTE_WITHIN);
    }

    fn finish(&mut self, scene: &Scene<'_>, campaigns: &mut Campaigns<Suspect, Facts>) {
        self.decide(Duration::ZERO, scene, campaigns);
    }

    fn judge(campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        story::judge(campaign)
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        story::tell(campaign, scene)
    }

    fn techniques(campaign: &Campaign<Facts>) -> &'static [&'static str] {
        let facts = &campaign.facts;
        let brute = facts.failed.values().any(|&tries| tries >= BRUTE as u64);
        match (facts.is_spray(), brute) {
            (true, true) => &[GUESSING, SPRAYING],
            (true, false) => &[SPRAYING],
            (false, _) => &[GUESSING],
        }
    }

    fn tables(&self, into: &mut BTreeMap<&'static str, TableStats>) {
        let [sources, victims, loops] = W::TABLES;
        let mut stats = self.sources.stats();
        stats.evicted += self.forgotten;
        into.insert(sources, stats);
        into.insert(victims, self.victims.stats());
        into.insert(loops, self.loops.stats());
    }
}

impl<W: Way> Guessing<W> {
    fn failed(
        &mut self,
        activity: &Activity,
        (account, refusal, tool): (&Account, Refusal, Option<Tool>),
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Suspect, Facts>,
    ) {
        let (ip, server) = (activity.client.ip, activity.server.ip);
        let mark = Mark::new(activity, scene);
        let failure = Failure { mark, refusal };
        let suspect = Suspect::Source(ip);
        if campaigns.is_open(&suspect) {
            guessed::<W>(&suspect, [(account, failure)], tool, scene, campaigns);
            return;
        }
        let source = self.sources.touch(ip, scene.now, Source::default);
        source.forget_older(SLOW_SPRAY_WITHIN, scene.now);
        let Some(forgotten) = source.add(account, failure, server) else {
            return;
        };
        self.forgotten += forgotten;
        let lockout = scene.knowledge.lockout.threshold(&scene.settings.policy);
        if let Some(threshold) = lockout
            && !account.is_machine()
            && source.rounds(account, threshold, scene) >= CAREFUL_ROUNDS
        {
            let failures = source.failures(account);
            let failures = failures.iter().map(|one| (account, *one));
            guessed::<W>(&suspect, failures, tool, scene, campaigns);
            source.forgive(account);
            if let Some(facts) = campaigns.facts(&suspect) {
                facts.careful = Some(threshold);
            }
            return;
        }
        let series = source
            .series(account, scene.now)
            .filter(|series| (series.is_fast || series.is_long) && !account.is_machine());
        match series {
            Some(series) if series.is_fast => {
                let failures = series.failures.iter().map(|one| (account, *one));
                guessed::<W>(&suspect, failures, tool, scene, campaigns);
                source.forgive(account);
                return;
            }
            Some(series) => {
                let key = (ip, account.clone());
                if scene.learns(LEARNING) {
                    self.loops.touch(key, scene.now, || ());
                } else if self.loops.get(&key).is_none() {
                    let suspect = Suspect::Loop(ip, account.clone());
                    // Once told, each failure is told by itself.
                    let known = if campaigns.is_open(&suspect) {
                        series.failures.len() - 1
                    } else {
                        0
                    };
                    let failures = series.failures.iter().map(|one| (account, *one));
                    guessed::<W>(&suspect, failures.skip(known), tool, scene, campaigns);
                }
            }
            None => self.shared(ip, account, failure, scene, campaigns),
        }
        self.weigh_breadth(ip, (LOGS_ON_WITHIN, tool), scene, campaigns);
    }

    /// Whether so many accounts failed from `ip` that it is a spray.
    fn weigh_breadth(
        &mut self,
        ip: IpAddr,
        (grace, tool): (Duration, Option<Tool>),
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Suspect, Facts>,
    ) {
        let Some(source) = self.sources.get(&ip) else {
            self.waiting.remove(&ip);
            return;
        };
        let (fast, slow) = source.breadth(grace, scene.now);
        let spray = fast >= SPRAY && !is_busy(ip, fast, SPRAY_WITHIN, scene);
        let is_slow = || {
            let hosts = &scene.knowledge.hosts;
            let people = hosts.logons(ip, scene.now - SLOW_SPRAY_WITHIN);
            slow >= SLOW_SPRAY
                && (people.take(CROWD).count() < CROWD
                    || source.strangers(ip, grace, scene) >= SLOW_SPRAY_IN_A_CROWD)
        };
        if spray || is_slow() {
            self.waiting.remove(&ip);
            let all = self.sources.remove(&ip).unwrap_or_default().all();
            let failures = all.iter().map(|(account, one)| (account, *one));
            guessed::<W>(&Suspect::Source(ip), failures, tool, scene, campaigns);
        } else if source.latest() + grace <= scene.now {
            self.waiting.remove(&ip);
        } else if self.waiting.len() < WAITING {
            let (fast, slow) = source.breadth(Duration::ZERO, scene.now);
            if fast >= SPRAY || slow >= SLOW_SPRAY {
                self.waiting.insert(ip);
            }
        }
    }

    /// Looks again at sources whose accounts had time to log on.
    fn decide(
        &mut self,
        grace: Duration,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Suspect, Facts>,
    ) {
        let mut next = self.waiting.first().copied();
        while let Some(ip) = next {
            self.weigh_breadth(ip, (grace, None), scene, campaigns);
            let after = (std::ops::Bound::Excluded(ip), std::ops::Bound::Unbounded);
            next = self.waiting.range(after).next().copied();
        }
    }

    /// One account's failures from many sources, none of which is suspicious by itself.
    fn shared(
        &mut self,
        ip: IpAddr,
        account: &Account,
        failure: Failure,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Suspect, Facts>,
    ) {
        let suspect = Suspect::SharersOn(account.clone());
        let mut sharers = BTreeSet::from([ip]);
        if campaigns.is_open(&suspect) {
            guessed::<W>(&suspect, [(account, failure)], None, scene, campaigns);
        } else {
            let failures = self
                .victims
                .touch(account.clone(), scene.now, VecDeque::new);
            while failures
                .front()
                .is_some_and(|(_, one)| one.mark.now + BRUTE_WITHIN <= scene.now)
            {
                failures.pop_front();
            }
            if failures.len() >= SHARED_FAILURES {
                failures.pop_front();
                self.forgotten += 1;
            }
            failures.push_back((ip, failure));
            if failures.len() < SHARED {
                return;
            }
            sharers = failures.iter().map(|(ip, _)| *ip).collect();
            if sharers.len() < SHARERS {
                return;
            }
            let all = self.victims.remove(account).unwrap_or_default();
            let failures = all.iter().map(|(_, one)| (account, *one));
            guessed::<W>(&suspect, failures, None, scene, campaigns);
        }
        if let Some(facts) = campaigns.facts(&suspect) {
            facts.sharers.extend(sharers);
            while facts.sharers.len() > NAMED {
                facts.sharers.pop_last();
            }
        }
    }

    fn logged_on(
        &mut self,
        activity: &Activity,
        attempt: &Attempt<'_>,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Suspect, Facts>,
    ) {
        let ip = activity.client.ip;
        let suspect = Suspect::Source(ip);
        let source = self.sources.get_mut(&ip);
        if source.is_none() && !campaigns.is_open(&suspect) {
            return;
        }
        let account = attempt.account(scene);
        if let Some(source) = source {
            source.forgive(&account);
        }
        let own = Suspect::Loop(ip, account.clone().into_owned());
        for suspect in [suspect, own] {
            let Some(facts) = campaigns.facts(&suspect) else {
                continue;
            };
            let mut newcomers = scene.knowledge.hosts.newcomers(ip, scene.now);
            let logons = if facts.failed.contains_key(&*account) {
                &mut facts.found
            } else if newcomers.any(|one| *one == *account) {
                &mut facts.newcomers
            } else {
                continue;
            };
            if logons.len() < NAMED && logons.insert(Cow::clone(&account).into_owned()) {
                let detail = format!("{account}: the password was right");
                campaigns.attach(&suspect, [evidence(activity, detail)]);
            }
        }
    }
}

impl Facts {
    fn is_spray(&self) -> bool {
        self.failed.len() >= SPRAY
    }

    /// Whether it is one account's failures at no great speed.
    fn is_loop(&self) -> bool {
        !self.hasty && self.careful.is_none() && self.failed.len() == 1
    }
}

fn guessed<'a, W: Way>(
    suspect: &Suspect,
    failures: impl IntoIterator<Item = (&'a Account, Failure)> + Clone,
    tool: Option<Tool>,
    scene: &Scene<'_>,
    campaigns: &mut Campaigns<Suspect, Facts>,
) {
    let source = match suspect {
        Suspect::Source(ip) | Suspect::Loop(ip, _) => scene.machine(&(*ip).into()),
        Suspect::SharersOn(_) => Party::default(),
    };
    let events = failures.clone().into_iter().map(|(account, one)| Event {
        at: one.mark.at,
        evidence: one.mark.evidence(format!("{account}: {}", one.refusal)),
        target: Some(Party {
            account: Some(account.clone()),
            ..Party::default()
        }),
    });
    let opened = !campaigns.is_open(suspect);
    let Some(facts) = campaigns.record::<Guessing<W>>(scene, suspect, &source, events) else {
        return;
    };
    facts.tools.extend(tool);
    let mut began = scene.now;
    for (account, one) in failures {
        began = began.min(one.mark.now);
        facts.sensitive |= scene
            .settings
            .sensitive
            .iter()
            .any(|other| other.may_be(account));
        if facts.failed.len() < NAMED || facts.failed.contains_key(account) {
            *facts.failed.entry(account.clone()).or_default() += 1;
        }
        facts.over.insert(one.refusal.over());
        facts.hurry(one.mark.now);
    }
    if let (true, Suspect::Source(ip) | Suspect::Loop(ip, _)) = (opened, suspect) {
        let newcomers = scene.knowledge.hosts.newcomers(*ip, began);
        facts.newcomers.extend(newcomers.cloned());
        let mut known = scene.knowledge.hosts.logons(*ip, Timestamp::default());
        facts.at_home = facts.failed.len() == 1 && known.any(|one| facts.failed.contains_key(one));
    }
}

impl Facts {
    /// Notes a failure's time.
    fn hurry(&mut self, now: Timestamp) {
        if self.latest.len() >= HASTE {
            self.latest.pop_front();
        }
        self.latest.push_back(now);
        let first = self.latest.front().copied().unwrap_or(now);
        self.hasty |= self.latest.len() == HASTE && now.since(first) <= HASTE_WITHIN;
    }
}
