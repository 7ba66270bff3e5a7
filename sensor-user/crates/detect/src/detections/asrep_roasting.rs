//! AS-REP roasting: collecting replies that are sealed with a password, to guess it at home.
//!
//! **The attack.** An account with *do not require Kerberos pre-authentication* gets an AS-REP
//! without proving anything. A part of the reply is sealed with a key made from the account's
//! password (RFC 4120 5.4.2), so whoever collects it can try passwords offline: impacket
//! `GetNPUsers`, Rubeus `asreproast`, netexec, kerbrute.
//!
//! **On the wire.** An AS-REQ without a proof, answered by an AS-REP at once instead of
//! `KDC_ERR_PREAUTH_REQUIRED`. Tools ask for RC4 alone, which cracks a thousand times faster than
//! AES (RFC 4757 against RFC 3962). Where the KDC refuses RC4, they come back with AES alone.
//!
//! **Look-alikes.** A person with such an account who logs on: the first AS-REQ of every client
//! carries no proof. But then the ticket is *used*, which a roaster cannot, who lacks the key
//! within. So a reply is held for two minutes; if its ticket is presented, it was a logon. What is
//! left is judged by what was asked for: RC4 alone is an attack at once, a narrow offer
//! probably, and the full list that ordinary clients send only when several accounts are
//! collected. One unused reply to a full list stays silent: somebody may just have logged on.
//! Requests hidden by FAST cannot be judged.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::kerberos::{
    Answer, AsExchange, AsRequest, TgsExchange, error, error_name, etype_name,
};
use goshawk_model::{Account, Activity, Confidence, Digest, Kind, Party, Severity};
use serde::{Deserialize, Serialize};

use super::services::Service;
use super::{Detection, Mark, is_rc4, is_rc4_only, proves_identity, shown_without_key};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;
use crate::table::{Table, TableStats};
use crate::words::{count, etypes, list};

pub(super) const DESCRIPTION: Description = Description {
    external_id: 2412,
    name: "asrep-roasting",
    title: "Password-sealed replies collected (AS-REP roasting)",
    severity: Severity::High,
    techniques: &["T1558.004"],
    learning: None,
    meaning: "Replies sealed with keys made from passwords were collected for accounts that need \
        not pre-authenticate. Weak passwords among them can be guessed offline, without another \
        packet to the domain.",
    help: "Seen are requests without a proof that were answered with a ticket, or that asked for \
        RC4 for many accounts. Whether a password was guessed cannot be seen.",
    look_alikes: "Logons of accounts without pre-authentication; their tickets are used soon \
        after. Old software that offers RC4 alone.",
    remediation: &[
        "Find out who uses the source, and isolate it if nobody can explain the requests.",
        "Change the passwords of the accounts that were collected, to long random ones where \
         people need not type them.",
        "Require pre-authentication for these accounts (clear 'Do not require Kerberos \
         pre-authentication'); if old software needs it off, give them AES keys only.",
        "Watch for logons of these accounts from places where they were not seen before.",
    ],
};

/// A ticket that is going to be used is used within this time.
const USED_WITHIN: Duration = Duration::from_secs(120);
/// Requests of one source belong together within this time.
const TOGETHER: Duration = Duration::from_secs(600);
/// Accounts that one source asks for with RC4 alone, never followed by a proof, to be an attempt.
const ATTEMPTS: usize = 5;
/// Clients offer more encryption types than this.
const NARROW: usize = 2;
/// RC4 first among so few is a tool; old clients put RC4 first in a long list.
const SHORT: usize = 3;
/// Replies waiting to be used.
const PENDING: usize = 65_536;
/// Sources remembered.
const SOURCES: usize = 16_384;
/// Accounts remembered by name per campaign.
const NAMED: usize = 256;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct AsrepRoasting {
    /// Replies whose tickets may still be used.
    pending: Table<(IpAddr, Account), Reply, PENDING>,
    sources: Table<IpAddr, Source, SOURCES>,
}

/// A reply that was got without proof.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Reply {
    mark: Mark,
    /// Encryption types offered, as many as matter.
    offered: Vec<i32>,
    sealed_with: i32,
    /// The tickets that came with it and with its repetitions, the latest few.
    tickets: Vec<Digest>,
    /// Whether it belongs to a campaign already.
    recorded: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Source {
    /// The one reply to a full offer that was not used; a second one makes a campaign.
    lone: Option<(Account, Reply)>,
    /// Accounts asked for with RC4 alone, and the error; fewer than [`ATTEMPTS`].
    attempts: BTreeMap<Account, (Mark, Option<i32>)>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    /// Accounts whose replies were got → whether a ticket was used after all.
    got: BTreeMap<Account, Got>,
    /// Accounts asked for in vain.
    tried: u64,
    rc4: u64,
    /// Whether the shape of the requests, or several unused replies, leave little doubt.
    sure: bool,
    /// Whether the use of a ticket may have been missed.
    blind: bool,
}

/// What became of an account's replies.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Got {
    tickets: Vec<Digest>,
    used: bool,
}

impl Detection for AsrepRoasting {
    type Key = IpAddr;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::AS.and(Kinds::TGS);

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<IpAddr, Facts>,
    ) {
        match &activity.kind {
            Kind::Tgs(exchange) => self.used(exchange, scene, campaigns),
            Kind::As(exchange) if !scene.repeated => {
                if let (Some(request), Some(account)) = (&exchange.request, &exchange.client) {
                    self.asked(activity, (exchange, request, account), scene, campaigns);
                }
            }
            _ => {}
        }
    }

    fn tick(&mut self, scene: &Scene<'_>, campaigns: &mut Campaigns<IpAddr, Facts>) {
        self.decide(scene, campaigns, Some(scene.now - USED_WITHIN));
        self.sources.expire(scene.now - TOGETHER);
    }

    fn finish(&mut self, scene: &Scene<'_>, campaigns: &mut Campaigns<IpAddr, Facts>) {
        self.decide(scene, campaigns, None);
    }

    fn judge(campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        let facts = &campaign.facts;
        let all_used = facts.tried == 0 && facts.got.values().all(|got| got.used);
        let confidence = match (all_used, facts.sure, facts.blind) {
            (true, _, _) | (false, false, true) => Confidence::Low,
            (false, true, _) => Confidence::High,
            (false, false, false) => Confidence::Medium,
        };
        Judgement {
            severity: Severity::High,
            confidence,
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let facts = &campaign.facts;
        let place = campaign
            .source
            .ip
            .map_or_else(|| "an unknown machine".to_owned(), |ip| scene.place(ip));
        let got = facts.got.len() as u64;
        let summary = if got > 0 {
            format!(
                "Somebody at {place} collected password-sealed replies of {}.",
                list(facts.got.keys(), got)
            )
        } else {
            format!(
                "Somebody at {place} asked for password-sealed replies of {} and got none, as far as seen.",
                count(facts.tried, "account")
            )
        };
        let mut reason = String::from(
            "The requests carried no proof of a password, and the replies can be used to guess it \
             offline.",
        );
        if facts.rc4 > 0 {
            reason += " RC4 was asked for first, which ordinary clients do not do and which makes \
                       guessing fast.";
        }
        if facts.tried > 0 {
            reason += &format!(
                " {} asked for with RC4 alone and not given, as far as seen, and no proof followed.",
                match facts.tried {
                    1 => "1 account was".to_owned(),
                    n => format!("{n} accounts were"),
                }
            );
        }
        let used = facts.got.values().filter(|got| got.used).count() as u64;
        if used > 0 {
            reason += &format!(
                " Against it speaks that the tickets of {} were used, which takes the password.",
                count(used, "account")
            );
        } else if got > 0 && facts.rc4 == 0 {
            reason += " None of the tickets was used, as it would be after a logon.";
        }
        if facts.blind {
            reason += " The sensor was blind for a while, so a use may have been missed.";
        }
        let unseen: Vec<_> = scene
            .knowledge
            .watch
            .unseen(&scene.settings.controllers)
            .collect();
        if !unseen.is_empty() && used < got {
            reason += &format!(
                " Tickets may have been used at {}, whose traffic is not seen.",
                list(&unseen, unseen.len() as u64)
            );
        }
        Story { summary, reason }
    }

    fn tables(&self, into: &mut BTreeMap<&'static str, TableStats>) {
        into.insert("asrep-roasting-replies", self.pending.stats());
        into.insert("asrep-roasting-sources", self.sources.stats());
    }
}

impl AsrepRoasting {
    /// A ticket was presented: whoever got it could open the reply it came with.
    fn used(
        &mut self,
        exchange: &TgsExchange,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<IpAddr, Facts>,
    ) {
        if matches!(exchange.answer, Answer::Refused(code) if shown_without_key(code)) {
            return;
        }
        let presented = exchange
            .request
            .as_ref()
            .and_then(|request| request.presented.as_ref());
        let Some(fact) = presented.and_then(|ticket| scene.knowledge.tickets.get(ticket)) else {
            return;
        };
        let Some(owner) = &fact.owner else { return };
        let Some(ticket) = presented.map(|ticket| ticket.id) else {
            return;
        };
        let key = (fact.asked_from, owner.clone());
        let waits = |reply: &Reply| reply.tickets.contains(&ticket);
        if self.pending.get(&key).is_some_and(waits) {
            self.pending.remove(&key);
        }
        // It may have waited in somebody's cache for longer than replies are held.
        let is_news = |got: &Got| !got.used && got.tickets.contains(&ticket);
        if campaigns
            .facts(&key.0)
            .is_some_and(|facts| facts.got.get(&key.1).is_some_and(is_news))
            && let Some(facts) = campaigns.change(&key.0)
            && let Some(got) = facts.got.get_mut(&key.1)
        {
            got.used = true;
        }
        if let Some(source) = self.sources.get_mut(&key.0) {
            source.lone.take_if(|(_, reply)| waits(reply));
        }
    }

    fn asked(
        &mut self,
        activity: &Activity,
        (exchange, request, account): (&AsExchange, &AsRequest, &Account),
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<IpAddr, Facts>,
    ) {
        let ip = activity.client.ip;
        if proves_identity(&request.padata) {
            if let Some(source) = self.sources.get_mut(&ip) {
                source.attempts.remove(account);
            }
            return;
        }
        match &exchange.answer {
            Answer::Issued {
                ticket,
                reply_etype,
            } if Service::new(&ticket.service).is_ticket_granting() => {
                let reply = Reply {
                    mark: Mark::new(activity, scene),
                    offered: request
                        .etypes
                        .iter()
                        .copied()
                        .take(NARROW + SHORT)
                        .collect(),
                    sealed_with: *reply_etype,
                    tickets: vec![ticket.id],
                    recorded: false,
                };
                self.got(ip, account, reply, scene, campaigns);
            }
            Answer::Refused(_) | Answer::Unseen
                if is_rc4_only(&request.etypes)
                    && hides_an_account(&exchange.answer)
                    && exchange
                        .service
                        .as_deref()
                        .is_none_or(|service| Service::new(service).is_ticket_granting()) =>
            {
                let code = match exchange.answer {
                    Answer::Refused(code) => Some(code),
                    _ => None,
                };
                let source = self.sources.touch(ip, scene.now, Source::default);
                source
                    .attempts
                    .retain(|_, (mark, _)| mark.now + TOGETHER > scene.now);
                source
                    .attempts
                    .insert(account.clone(), (Mark::new(activity, scene), code));
                if source.attempts.len() >= ATTEMPTS {
                    let attempts = std::mem::take(&mut source.attempts);
                    tried(ip, attempts, scene, campaigns);
                }
            }
            _ => {}
        }
    }

    fn got(
        &mut self,
        ip: IpAddr,
        account: &Account,
        mut reply: Reply,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<IpAddr, Facts>,
    ) {
        let key = (ip, account.clone());
        if is_rc4(reply.sealed_with) && prefers_rc4(&reply.offered) {
            reply.recorded = true;
            collected(
                ip,
                [(account.clone(), reply.clone())],
                true,
                scene,
                campaigns,
            );
        }
        // The first one counts: whoever asks every minute is waited for once.
        match self.pending.get_mut(&key) {
            Some(first) => {
                first.recorded |= reply.recorded;
                remember(&mut first.tickets, reply.tickets);
            }
            None => {
                self.pending.touch(key, scene.now, || reply);
            }
        }
    }

    /// Judges the replies held since before `limit` (all, if nothing more will come).
    fn decide(
        &mut self,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<IpAddr, Facts>,
        limit: Option<goshawk_model::Timestamp>,
    ) {
        let limit = limit.unwrap_or(goshawk_model::Timestamp::MAX);
        while let Some(((ip, account), reply)) = self.pending.pop_before(limit) {
            if reply.recorded {
                continue;
            }
            if reply.offered.len() <= NARROW || campaigns.is_open(&ip) {
                collected(ip, [(account, reply)], false, scene, campaigns);
                continue;
            }
            let source = self.sources.touch(ip, scene.now, Source::default);
            match source.lone.take() {
                Some((other, first))
                    if other != account && first.mark.now + TOGETHER > reply.mark.now =>
                {
                    let both = [(other, first), (account, reply)];
                    collected(ip, both, true, scene, campaigns);
                }
                _ => source.lone = Some((account, reply)),
            }
        }
    }
}

/// Adds tickets, of which a few are kept.
fn remember(tickets: &mut Vec<Digest>, more: Vec<Digest>) {
    const KEPT: usize = 4;
    for ticket in more {
        if !tickets.contains(&ticket) {
            tickets.push(ticket);
        }
    }
    let surplus = tickets.len().saturating_sub(KEPT);
    tickets.drain(..surplus);
}

/// Records replies that were got.
fn collected(
    ip: IpAddr,
    replies: impl IntoIterator<Item = (Account, Reply)> + Clone,
    sure: bool,
    scene: &Scene<'_>,
    campaigns: &mut Campaigns<IpAddr, Facts>,
) {
    let events = replies.clone().into_iter().map(|(account, reply)| Event {
        at: reply.mark.at,
        evidence: reply.mark.evidence(format!(
            "{account} was given without proof, sealed with {}; offered were {}",
            etype_name(reply.sealed_with),
            etypes(&reply.offered),
        )),
        target: Some(victim(account)),
    });
    let source = scene.machine(&ip.into());
    let Some(facts) = campaigns.record::<AsrepRoasting>(scene, &ip, &source, events) else {
        return;
    };
    let several = !facts.got.is_empty();
    for (account, reply) in replies {
        facts.rc4 += u64::from(is_rc4(reply.sealed_with) && prefers_rc4(&reply.offered));
        facts.blind |= scene.knowledge.watch.blind(reply.mark.at, scene.at);
        if facts.got.len() < NAMED || facts.got.contains_key(&account) {
            let got = facts.got.entry(account).or_default();
            remember(&mut got.tickets, reply.tickets);
        }
    }
    facts.sure |= sure || (several && facts.got.len() > 1);
}

/// Records accounts that were asked for in vain.
fn tried(
    ip: IpAddr,
    attempts: BTreeMap<Account, (Mark, Option<i32>)>,
    scene: &Scene<'_>,
    campaigns: &mut Campaigns<IpAddr, Facts>,
) {
    let number = attempts.len() as u64;
    let events = attempts.into_iter().map(|(account, (mark, code))| Event {
        at: mark.at,
        evidence: mark.evidence(format!(
            "{account} was asked for with RC4 alone; the answer was {}",
            code.map_or("not seen", error_name)
        )),
        target: Some(victim(account)),
    });
    let source = scene.machine(&ip.into());
    if let Some(facts) = campaigns.record::<AsrepRoasting>(scene, &ip, &source, events) {
        facts.tried += number;
    }
}

fn victim(account: Account) -> Party {
    Party {
        account: Some(account),
        ..Party::default()
    }
}

/// Whether the answer leaves open that the account exists.
fn hides_an_account(answer: &Answer) -> bool {
    !matches!(
        answer,
        Answer::Refused(
            error::C_PRINCIPAL_UNKNOWN
                | error::WRONG_REALM
                | error::RESPONSE_TOO_BIG
                | error::AP_SKEW
        )
    )
}

fn prefers_rc4(offered: &[i32]) -> bool {
    is_rc4_only(offered) || (offered.len() <= SHORT && offered.first().is_some_and(|&e| is_rc4(e)))
}
