//! Kerberoasting: collecting service tickets that are sealed with people's passwords.
//!
//! **The attack.** Any account may ask for a ticket to any service (RFC 4120 3.3). The ticket is
//! sealed with the key of the account that runs the service; where that is a person's kind of
//! account, its password can be guessed offline: impacket `GetUserSPNs`, Rubeus `kerberoast`,
//! netexec, PowerView, `kvno`.
//!
//! **On the wire.** TGS exchanges that no client would have: a service named like an account
//! (`CORP\svc_sql`; impacket asks so, with name type -128), RC4 alone where AES is possible
//! ([MS-KILE] 3.3.5.7 lets the client choose), many services of users' accounts within minutes.
//! Tickets of computers' services are not worth cracking and hardly count. With an account that
//! needs no pre-authentication, service tickets come straight from an AS exchange and nobody need
//! log on at all. A refusal counts as much as a ticket.
//!
//! **Look-alikes.** A workstation's morning: files, directory, intranet, a database or two. A
//! ticket that is then used loses its points, where its use is seen, which is only on a
//! controller. Windows seals tickets for many services with RC4 although AES was offered, so that
//! alone weighs little, unless several come within seconds, and web servers least: people open
//! many. One server under several names (short, whole, with its port) is one. User-to-user (RFC 4120 3.7) and
//! S4U ([MS-SFU]) name accounts by design and do not count. Machines that talk to many databases
//! by design (monitoring, backup) can be excluded.

mod weight;

use std::collections::BTreeMap;
use std::time::Duration;

use goshawk_model::kerberos::{Answer, Ticket, error_name, etype_name};
use goshawk_model::{Account, Activity, Confidence, Digest, Kind, Party, Severity};
use serde::{Deserialize, Serialize};

use super::asker::Asker;
use super::services::Service;
use super::{Detection, Mark, shown_without_key};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;
use crate::table::{Table, TableStats};
use crate::words::{count, etypes, list};
use weight::{Why, unproved, weigh};

pub(super) const DESCRIPTION: Description = Description {
    external_id: 2410,
    name: "kerberoasting",
    title: "Service tickets collected for cracking (Kerberoasting)",
    severity: Severity::High,
    techniques: &["T1558.003"],
    learning: None,
    meaning: "Tickets sealed with the passwords of service accounts were collected. Weak passwords \
        among them can be guessed offline, without another packet to the domain.",
    help: "Seen is how tickets are asked for, and for which services. Whether they are used at \
        member servers, and whether a password was guessed, cannot be seen.",
    look_alikes: "Software that asks for tickets to many services, such as monitoring and backup; \
        exclude its machine and account. Old software that offers RC4 alone.",
    remediation: &[
        "Ask the account's owner, or find out what runs on the source, and isolate it if nobody can \
         explain the requests.",
        "Reset the password of the asking account: it is in the attacker's hands.",
        "Change the passwords of the service accounts whose tickets were collected to long random \
         ones, better: move the services to group-managed service accounts.",
        "Allow these accounts AES only (msDS-SupportedEncryptionTypes 0x18).",
        "Watch for logons of these accounts from places where they were not seen before.",
    ],
};

/// Points that make a campaign. A half of them could be an odd but honest client.
const THRESHOLD: u32 = 12;
/// Points that leave little doubt.
const PLENTY: u32 = 2 * THRESHOLD;
/// Requests of one asker count together within this time.
const TOGETHER: Duration = Duration::from_secs(300);
/// Askers remembered. An asker has fewer requests waiting than [`THRESHOLD`], a point each.
const ASKERS: usize = 32_768;
/// Services told apart per campaign.
const SERVICES: usize = 256;
/// Tickets remembered per campaign, to see whether they are used.
const TICKETS: usize = 256;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kerberoasting {
    /// By the service's family: one server has many names.
    askers: Table<Asker, BTreeMap<Box<str>, Asked>, ASKERS>,
}

/// A request that counts.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Asked {
    service: Account,
    mark: Mark,
    why: Why,
    points: u32,
    /// The ticket, if one was issued.
    ticket: Option<Digest>,
    /// What it is sealed with, or the error instead.
    answer: Result<i32, i32>,
    offered: Vec<i32>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    points: u32,
    /// The points of each service, by its family.
    services: BTreeMap<Box<str>, u32>,
    /// How often each reason was met.
    why: BTreeMap<Why, u64>,
    /// Tickets not seen used → their points.
    unused: BTreeMap<Digest, u32>,
    used: u64,
    refused: u64,
}

impl Detection for Kerberoasting {
    type Key = Asker;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::AS.and(Kinds::TGS).and(Kinds::AP);

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        match &activity.kind {
            Kind::Tgs(exchange) if !scene.repeated => {
                let account = scene.knowledge.asker(activity).or(exchange.client.as_ref());
                let Some(text) = exchange.service.as_deref() else {
                    return;
                };
                let service = Service::new(text);
                if let Some((why, points)) = weigh(exchange, service, account, scene) {
                    let offered = exchange.request.as_ref().map(|request| &*request.etypes);
                    let asked =
                        Asked::new(activity, scene, service, (why, points), &exchange.answer)
                            .offering(offered);
                    let asker = Asker {
                        ip: activity.client.ip,
                        account: account.cloned(),
                    };
                    self.asked(&asker, service, asked, scene, campaigns);
                }
            }
            Kind::As(exchange) if !scene.repeated => {
                let Some(service) = unproved(exchange) else {
                    return;
                };
                let offered = exchange.request.as_ref().map(|request| &*request.etypes);
                let weight = (Why::Unproved, THRESHOLD);
                let asked = Asked::new(activity, scene, service, weight, &exchange.answer)
                    .offering(offered);
                let asker = Asker {
                    ip: activity.client.ip,
                    account: None,
                };
                self.asked(&asker, service, asked, scene, campaigns);
            }
            Kind::Ap(exchange) if exchange.error.is_none() => {
                self.used(&exchange.ticket, scene, campaigns);
            }
            _ => {}
        }
    }

    fn tick(&mut self, scene: &Scene<'_>, _campaigns: &mut Campaigns<Asker, Facts>) {
        self.askers.expire(scene.now - TOGETHER);
    }

    fn judge(campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        let facts = &campaign.facts;
        let strongest = facts
            .why
            .keys()
            .next_back()
            .copied()
            .unwrap_or(Why::Service);
        let plenty = facts.points >= PLENTY;
        let confidence = match strongest {
            Why::Honeytoken | Why::Unproved | Why::NamedAsUser => Confidence::High,
            _ if facts.points < THRESHOLD => Confidence::Low,
            Why::Rc4Only | Why::Rc4First | Why::Narrow | Why::Rc4Sealed | Why::PasswordChange
                if plenty =>
            {
                Confidence::High
            }
            Why::Rc4Only | Why::Rc4First | Why::Narrow | Why::Rc4Sealed | Why::PasswordChange => {
                Confidence::Medium
            }
            Why::Service | Why::Rc4OnComputer if plenty => Confidence::Medium,
            Why::Service | Why::Rc4OnComputer => Confidence::Low,
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
        let who = match &campaign.source.account {
            Some(account) => format!("{account}, from {place},"),
            None => format!("Somebody at {place}"),
        };
        let services = list(
            campaign
                .targets
                .iter()
                .filter_map(|target| target.account.as_ref()),
            campaign.targets_total(),
        );
        let mut reason = String::from(
            "Tickets are sealed with the password of the account that runs the service, so they \
             can be used to guess it offline. What was asked for:",
        );
        for (why, &times) in facts.why.iter().rev() {
            reason += &format!(" {}, {}.", why.told(), count(times, "request"));
        }
        if facts.refused > 0 {
            reason += &format!(
                " {} refused; the attempt shows the intent.",
                match facts.refused {
                    1 => "1 request was".to_owned(),
                    n => format!("{n} requests were"),
                }
            );
        }
        if facts.used > 0 {
            reason += &format!(
                " Against it speaks that {} used at a domain controller.",
                match facts.used {
                    1 => "1 ticket was".to_owned(),
                    n => format!("{n} tickets were"),
                }
            );
        }
        reason += " Whether tickets were used at member servers cannot be seen.";
        Story {
            summary: if facts.refused < campaign.count {
                format!("{who} collected service tickets for {services}.")
            } else {
                format!("{who} asked for service tickets for {services} and was refused.")
            },
            reason,
        }
    }

    fn tables(&self, into: &mut BTreeMap<&'static str, TableStats>) {
        into.insert("kerberoasting-askers", self.askers.stats());
    }
}

impl Kerberoasting {
    fn asked(
        &mut self,
        asker: &Asker,
        service: Service<'_>,
        asked: Asked,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        let family = service.family().into_boxed_str();
        if campaigns.is_open(asker) {
            collected(asker, &[(family, asked)].into(), scene, campaigns);
            return;
        }
        let waiting = self.askers.touch(asker.clone(), scene.now, BTreeMap::new);
        waiting.retain(|_, before| before.mark.now + TOGETHER > scene.now);
        // Asking twice for one service says no more than asking once, in the stronger way.
        match waiting.get(&family) {
            Some(before) if before.points >= asked.points => {}
            _ => {
                waiting.insert(family, asked);
            }
        }
        if paced(waiting) >= THRESHOLD {
            let all = std::mem::take(waiting);
            self.askers.remove(asker);
            collected(asker, &all, scene, campaigns);
        }
    }

    /// A ticket was presented to its service: it was wanted for that, unless it was asked for in
    /// a way that no client has.
    fn used(
        &mut self,
        ticket: &Ticket,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        let Some(fact) = scene.knowledge.tickets.get(ticket) else {
            return;
        };
        let asker = Asker {
            ip: fact.asked_from,
            account: fact.owner.clone(),
        };
        if let Some(waiting) = self.askers.get_mut(&asker) {
            waiting.retain(|_, asked| {
                asked.ticket != Some(ticket.id) || asked.why >= Why::NamedAsUser
            });
        }
        if campaigns
            .facts(&asker)
            .is_some_and(|facts| facts.unused.contains_key(&ticket.id))
            && let Some(facts) = campaigns.change(&asker)
            && let Some(points) = facts.unused.remove(&ticket.id)
        {
            facts.points = facts.points.saturating_sub(points);
            facts.used += 1;
        }
    }
}

/// The points of all, where those that any client may ask for count half unless they come in a
/// burst: people open one thing after the other, and tools everything at once.
fn paced(waiting: &BTreeMap<Box<str>, Asked>) -> u32 {
    /// So many within [`BURST_WITHIN`].
    const BURST: usize = 3;
    const BURST_WITHIN: Duration = Duration::from_secs(3);
    let near = |one: &Asked, other: &Asked| {
        let (first, last) = (
            one.mark.at.min(other.mark.at),
            one.mark.at.max(other.mark.at),
        );
        last.since(first) <= BURST_WITHIN
    };
    let points = |asked: &Asked| {
        let in_burst = || waiting.values().filter(|other| near(asked, other)).count() >= BURST;
        if asked.why.is_relative() && !in_burst() {
            (asked.points / 2).max(1)
        } else {
            asked.points
        }
    };
    waiting.values().map(points).sum()
}

impl Asked {
    fn new(
        activity: &Activity,
        scene: &Scene<'_>,
        service: Service<'_>,
        (why, points): (Why, u32),
        answer: &Answer,
    ) -> Self {
        let (ticket, answer) = match answer {
            Answer::Issued { ticket, .. } => (Some(ticket.id), Ok(ticket.etype)),
            Answer::Refused(code) => (None, Err(*code)),
            Answer::Unseen => (None, Err(0)),
        };
        Self {
            service: service.account(),
            mark: Mark::new(activity, scene),
            why,
            points,
            ticket,
            answer,
            offered: Vec::new(),
        }
    }

    fn offering(mut self, offered: Option<&[i32]>) -> Self {
        const SHOWN: usize = 8;
        let offered = offered.unwrap_or_default();
        self.offered = offered.iter().copied().take(SHOWN).collect();
        self
    }

    fn detail(&self) -> String {
        let service = &self.service;
        let answer = match self.answer {
            Ok(etype) => format!("a ticket sealed with {}", etype_name(etype)),
            Err(0) => "not seen".to_owned(),
            Err(code) => error_name(code).to_owned(),
        };
        let offered = if self.offered.is_empty() {
            String::new()
        } else {
            format!("; offered were {}", etypes(&self.offered))
        };
        format!(
            "{service}: {}; the answer was {answer}{offered}",
            self.why.told()
        )
    }
}

fn collected(
    asker: &Asker,
    all: &BTreeMap<Box<str>, Asked>,
    scene: &Scene<'_>,
    campaigns: &mut Campaigns<Asker, Facts>,
) {
    // A KDC that opened the ticket and its authenticator believes who asks, whatever it answers.
    let believed = all
        .values()
        .any(|asked| !matches!(asked.answer, Err(code) if shown_without_key(code)));
    let source = Party {
        account: asker.account.clone().filter(|_| believed),
        ..scene.machine(&asker.ip.into())
    };
    let mut in_time: Vec<_> = all.iter().collect();
    in_time.sort_by_key(|(_, asked)| (asked.mark.at, asked.mark.activity));
    let events = in_time.iter().map(|(_, asked)| Event {
        at: asked.mark.at,
        evidence: asked.mark.evidence(asked.detail()),
        target: Some(Party {
            account: Some(asked.service.clone()),
            ..Party::default()
        }),
    });
    let Some(facts) = campaigns.record::<Kerberoasting>(scene, asker, &source, events) else {
        return;
    };
    for (family, asked) in all {
        // The same service once more is no further one.
        let before = facts.services.get(family).copied();
        if before.is_some() || facts.services.len() < SERVICES {
            let best = asked.points.max(before.unwrap_or(0));
            facts.services.insert(family.clone(), best);
            facts.points += best - before.unwrap_or(0);
        }
        *facts.why.entry(asked.why).or_default() += 1;
        facts.refused += u64::from(matches!(asked.answer, Err(code) if code != 0));
        if let Some(ticket) = asked.ticket
            && asked.why < Why::NamedAsUser
            && facts.unused.len() < TICKETS
        {
            facts.unused.insert(ticket, asked.points);
        }
    }
}
