//! Brute force and password spray over Kerberos: guessing passwords at the controller itself.
//!
//! **The attack.** Many passwords for one account (brute force), or one password for many accounts
//! (spray, which stays below lockout limits): kerbrute, Rubeus `brute`, netexec, `kinit` in a loop.
//! Several machines may share the work on one account.
//!
//! **On the wire.** An AS-REQ with a proof made from the guessed password, answered by
//! `KDC_ERR_PREAUTH_FAILED` (RFC 4120 3.1.3, 7.5.9); once the account is locked, by
//! `KDC_ERR_CLIENT_REVOKED`. A ticket after such failures means that the guess was right.
//!
//! **Look-alikes.** People mistype: a few failures, then a ticket, which wipes them out. Clients
//! that ask twice, as Windows does, or a second controller at once, make two failures of one try;
//! only failures faster than any person's count one by one. A service with a stale
//! password fails at an even pace for ever; it is told with low confidence. A computer whose own
//! account is broken retries as well; machine passwords are not guessable, so one of them is no
//! brute force; several from one place count as a spray, since a password that equals the computer's
//! name is tried just so. Behind a terminal server or NAT a few people of many mistype at any time: while those
//! who log on outnumber those who fail, it takes more.

mod source;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::kerberos::{Answer, AsExchange, error, error_name};
use goshawk_model::{Account, Activity, Confidence, Kind, Party, Severity};
use serde::{Deserialize, Serialize};

use super::{Detection, Mark, evidence, is_busy, proves_identity};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;
use crate::table::{Table, TableStats};
use crate::words::{count, list};
use source::{Failure, Source, is_even};

pub(super) const DESCRIPTION: Description = Description {
    external_id: 2023,
    name: "brute-force",
    title: "Passwords guessed over Kerberos (brute force, spray)",
    severity: Severity::Medium,
    techniques: &[GUESSING, SPRAYING],
    learning: None,
    meaning: "Somebody tries passwords, many for one account or one for many accounts. One hit is \
        enough to act as that account.",
    help: "Seen is every wrong password that reaches a controller over Kerberos, and every logon \
        that follows. The passwords themselves are not seen. Guesses further apart than half an \
        hour are not put together.",
    look_alikes: "People who mistype; services, tasks and telephones that keep an old password, \
        which fail at an even pace.",
    remediation: &[
        "If an account logged on after the failures, reset its password and end its sessions: the \
         guess was right.",
        "Find out what runs on the source. A stored password that is stale is corrected there; \
         otherwise isolate the machine.",
        "Check the accounts tried for weak passwords, and set a lockout threshold and a list of \
         banned passwords.",
        "Require a second factor for accounts that can be reached from outside.",
    ],
};

const GUESSING: &str = "T1110.001";
const SPRAYING: &str = "T1110.003";

/// Wrong passwords of one account from one source within [`BRUTE_WITHIN`]: more than people try
/// before they ask for help, and than most lockout policies let them.
const BRUTE: usize = 8;
const BRUTE_WITHIN: Duration = Duration::from_secs(600);
/// Accounts that fail from one source within [`SPRAY_WITHIN`] and do not log on afterwards.
const SPRAY: usize = 5;
const SPRAY_WITHIN: Duration = Duration::from_secs(1800);
/// Wrong passwords of one account from [`SHARERS`] sources within [`BRUTE_WITHIN`].
const SHARED: usize = 20;
const SHARERS: usize = 3;
/// Numbers that leave little doubt.
const MANY_ACCOUNTS: usize = 10;
const MANY_TRIES: u64 = 30;

/// Sources, and accounts, whose failures are remembered.
const SOURCES: usize = 16_384;
const VICTIMS: usize = 16_384;
/// Failures remembered per source, and per account.
const FAILURES: usize = 512;
const SHARED_FAILURES: usize = 64;
/// Accounts remembered by name per campaign.
const NAMED: usize = 256;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct BruteForce {
    sources: Table<IpAddr, Source, SOURCES>,
    victims: Table<Account, VecDeque<(IpAddr, Failure)>, VICTIMS>,
    /// Failures forgotten because their source, or account, had too many.
    forgotten: u64,
}

/// Who is suspected: a source, or many that share the work on one account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Suspect {
    Source(IpAddr),
    SharersOn(Account),
}

impl fmt::Display for Suspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(ip) => ip.fmt(f),
            Self::SharersOn(account) => account.fmt(f),
        }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    /// Accounts that failed → how often.
    failed: BTreeMap<Account, u64>,
    /// Accounts that failed and then logged on from there.
    found: BTreeSet<Account>,
    /// Accounts that logged on from there for the first time while others failed.
    newcomers: BTreeSet<Account>,
    /// Sources, where several share the work.
    sharers: BTreeSet<IpAddr>,
    /// Whether an account is among them that matters more than others.
    sensitive: bool,
    /// Whether the failures came at the even pace of a stored password.
    even: bool,
}

impl Detection for BruteForce {
    type Key = Suspect;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::AS;

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Suspect, Facts>,
    ) {
        let Kind::As(exchange) = &activity.kind else {
            return;
        };
        let Some(account) = exchange.client.as_ref().filter(|_| !scene.repeated) else {
            return;
        };
        let ip = activity.client.ip;
        match exchange.answer {
            Answer::Issued { .. } if is_proved(exchange) => {
                self.logged_on(activity, account, scene, campaigns);
            }
            Answer::Refused(code @ error::PREAUTH_FAILED) => {
                self.failed(activity, account, code, scene, campaigns);
            }
            // Locked, by these very failures: disabled accounts are refused so as well.
            Answer::Refused(code @ error::CLIENT_REVOKED) => {
                let failed_here = |facts: &mut Facts| facts.failed.contains_key(account);
                let counts = campaigns
                    .facts(&Suspect::Source(ip))
                    .is_some_and(failed_here)
                    || self
                        .sources
                        .get(&ip)
                        .is_some_and(|source| source.tries.contains_key(account));
                if counts {
                    self.failed(activity, account, code, scene, campaigns);
                }
            }
            _ => {}
        }
    }

    fn tick(&mut self, scene: &Scene<'_>, _campaigns: &mut Campaigns<Suspect, Facts>) {
        self.sources.expire(scene.now - SPRAY_WITHIN);
        self.victims.expire(scene.now - BRUTE_WITHIN);
    }

    fn judge(campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        let facts = &campaign.facts;
        let hit = !facts.found.is_empty() || (facts.is_spray() && !facts.newcomers.is_empty());
        let severity = if hit || facts.sensitive {
            Severity::High
        } else {
            Severity::Medium
        };
        let many = facts.failed.len() >= MANY_ACCOUNTS || campaign.count >= MANY_TRIES;
        let confidence = if !facts.found.is_empty() {
            Confidence::High
        } else if facts.even && facts.failed.len() == 1 {
            Confidence::Low
        } else if many {
            Confidence::High
        } else {
            Confidence::Medium
        };
        Judgement {
            severity,
            confidence,
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let facts = &campaign.facts;
        let place = match campaign.source.ip {
            Some(ip) => scene.place(ip),
            None => count(facts.sharers.len() as u64, "machine"),
        };
        let accounts = list(
            campaign
                .targets
                .iter()
                .filter_map(|target| target.account.as_ref()),
            campaign.targets_total(),
        );
        let tries = count(campaign.count, "wrong password");
        let mut summary = format!("Somebody at {place} tried {tries} for {accounts}.");
        if !facts.found.is_empty() {
            let found = list(&facts.found, facts.found.len() as u64);
            summary += &format!(" Then {found} logged on: the password was found.");
        }
        let mut reason = String::from(if facts.is_spray() {
            "So many accounts do not fail from one place by mistyping; they were tried one after \
             the other."
        } else {
            "That is more than somebody tries who has mistyped a password."
        });
        if facts.found.is_empty() && facts.is_spray() && !facts.newcomers.is_empty() {
            let newcomers = list(&facts.newcomers, facts.newcomers.len() as u64);
            reason += &format!(
                " Meanwhile {newcomers} logged on from there for the first time, maybe with a \
                 password that was found."
            );
        }
        if !facts.sharers.is_empty() {
            reason += " Several machines took part, each with few tries.";
        }
        if facts.even && facts.failed.len() == 1 {
            reason += " Against it speaks the even pace, as of a service that keeps an old \
                       password.";
        }
        Story { summary, reason }
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
        into.insert("brute-force-sources", self.sources.stats());
        into.insert("brute-force-victims", self.victims.stats());
        let failures = TableStats {
            len: 0,
            limit: FAILURES,
            evicted: self.forgotten,
        };
        into.insert("brute-force-failures-per-source", failures);
    }
}

impl BruteForce {
    fn failed(
        &mut self,
        activity: &Activity,
        account: &Account,
        code: i32,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Suspect, Facts>,
    ) {
        let (ip, server) = (activity.client.ip, activity.server.ip);
        let mark = Mark::new(activity, scene);
        let failure = Failure { mark, code };
        let suspect = Suspect::Source(ip);
        if campaigns.is_open(&suspect) {
            guessed(&suspect, [(account, failure)], scene, campaigns);
            return;
        }
        let source = self.sources.touch(ip, scene.now, Source::default);
        source.forget_older(SPRAY_WITHIN, scene.now);
        if !source.add(account, failure, server) {
            return;
        }
        if source.failures.len() > FAILURES {
            source.forget_oldest();
            self.forgotten += 1;
        }
        let accounts = source.tries.len();
        if accounts >= SPRAY && !is_busy(ip, accounts, SPRAY_WITHIN, scene) {
            let all = self.sources.remove(&ip).unwrap_or_default();
            let failures = all.failures.iter().map(|(account, one)| (account, *one));
            guessed(&suspect, failures, scene, campaigns);
        } else if let Some(tries) = source.brute(account, scene.now) {
            let even = is_even(&tries);
            let failures = tries.iter().map(|one| (account, *one));
            guessed(&suspect, failures, scene, campaigns);
            if let Some(facts) = campaigns.facts(&suspect) {
                facts.even = even;
            }
            source.forgive(account);
        } else {
            self.shared(ip, account, failure, scene, campaigns);
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
            guessed(&suspect, [(account, failure)], scene, campaigns);
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
            guessed(&suspect, failures, scene, campaigns);
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
        account: &Account,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Suspect, Facts>,
    ) {
        let ip = activity.client.ip;
        if let Some(source) = self.sources.get_mut(&ip) {
            source.forgive(account);
        }
        let suspect = Suspect::Source(ip);
        let Some(facts) = campaigns.facts(&suspect) else {
            return;
        };
        let mut newcomers = scene.knowledge.hosts.newcomers(ip, scene.now);
        let logons = if facts.failed.contains_key(account) {
            &mut facts.found
        } else if newcomers.any(|one| one == account) {
            &mut facts.newcomers
        } else {
            return;
        };
        if logons.len() < NAMED && logons.insert(account.clone()) {
            let detail = format!("{account} logged on");
            campaigns.attach(&suspect, [evidence(activity, detail)]);
        }
    }
}

impl Facts {
    fn is_spray(&self) -> bool {
        self.failed.len() >= SPRAY
    }
}

fn guessed<'a>(
    suspect: &Suspect,
    failures: impl IntoIterator<Item = (&'a Account, Failure)> + Clone,
    scene: &Scene<'_>,
    campaigns: &mut Campaigns<Suspect, Facts>,
) {
    let source = match suspect {
        Suspect::Source(ip) => scene.machine(&(*ip).into()),
        Suspect::SharersOn(_) => Party::default(),
    };
    let events = failures.clone().into_iter().map(|(account, one)| Event {
        at: one.mark.at,
        evidence: one
            .mark
            .evidence(format!("{account}: {}", error_name(one.code))),
        target: Some(Party {
            account: Some(account.clone()),
            ..Party::default()
        }),
    });
    let opened = !campaigns.is_open(suspect);
    let Some(facts) = campaigns.record::<BruteForce>(scene, suspect, &source, events) else {
        return;
    };
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
    }
    if let (true, Suspect::Source(ip)) = (opened, suspect) {
        let newcomers = scene.knowledge.hosts.newcomers(*ip, began);
        facts.newcomers.extend(newcomers.cloned());
    }
}

fn is_proved(exchange: &AsExchange) -> bool {
    let request = exchange.request.as_ref();
    request.is_some_and(|request| proves_identity(&request.padata))
}
