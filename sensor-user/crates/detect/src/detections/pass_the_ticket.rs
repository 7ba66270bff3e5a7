//! Pass-the-ticket: a ticket is used by another machine than it was issued to.
//!
//! **The attack.** A ticket with its session key is all that Kerberos asks for. Both are taken from
//! the memory or the cache file of one machine and used from another: mimikatz `kerberos::ptt`,
//! Rubeus `dump` and `ptt`, a copied `krb5cc_1000`.
//!
//! **On the wire.** The sealed part of a ticket looks the same wherever it is shown. It was handed
//! to one address and is presented, to a KDC or a service, from another. A ticket whose service
//! name was exchanged on the way is a tool's doing as well: that name lies outside the seal.
//!
//! **Look-alikes.** Machines have several addresses and change them: cable and radio, IPv4 and IPv6,
//! a new lease, a tunnel. So a second address alone is no finding. What tells that somebody else
//! has the ticket: it is presented in another dialect than ever came from where it was issued
//! (`knowledge::stacks`), others are at home at that address before and after, or both machines go on
//! using it. A laptop that is put into its dock and taken out again shows its ticket from either
//! address, but not by turns within minutes; and who worked there before does not come back while it
//! is there. Addresses with many people behind them tell nothing by who else is there. Silent are
//! tickets made to be handed on (forwarded, proxies), relays of requests, addresses with one name or
//! with one computer's account behind both, pairs of addresses between which a translator stands, and
//! trusted controllers. Load balancers hand their clients' tickets on to web servers, so those do not
//! count; and a ticket in a protocol that it is not for was handed on as well, by a thief: that is
//! `kerberos_relay`'s to tell.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::kerberos::{Answer, Ticket};
use goshawk_model::{
    Account, Activity, Carrier, Confidence, Digest, Host, Kind, Party, Severity, Timestamp,
};
use serde::{Deserialize, Serialize};

use super::asker::{Asker, who};
use super::kerberos_relay::is_handed_on;
use super::{Detection, Mark, shown_without_key};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::knowledge::{Stack, TicketFact, Tool, stacks};
use crate::scene::Scene;
use crate::table::{Table, TableStats};
use crate::words::list;

pub(super) const DESCRIPTION: Description = Description {
    external_id: 2018,
    name: "pass-the-ticket",
    title: "A ticket used by another machine than it was issued to (pass-the-ticket)",
    severity: Severity::High,
    techniques: &["T1550.003"],
    learning: None,
    meaning: "A Kerberos ticket was handed to one machine and used from another. Whoever took it \
        acts as its owner until it expires, without any password.",
    help: "Seen are tickets presented to domain controllers. Use at member servers is seen only \
        where their traffic is.",
    look_alikes: "Machines with several addresses, new leases and tunnels, where neither names nor \
        accounts show that it is one machine; exclude them.",
    remediation: &[
        "Find out whether both addresses belong to one machine; if so, exclude it.",
        "If not, isolate both: from one a ticket was stolen, at the other it is used.",
        "Reset the password of the ticket's owner and end the sessions; a ticket-granting ticket is \
         good for ten hours.",
        "Look for what the account did from the second machine since.",
    ],
};

/// Tickets remembered that came from a second address, and why that is no finding yet.
const WAITING: usize = 16_384;
/// Pairs of addresses remembered.
const PAIRS: usize = 16_384;
/// Owners remembered per pair.
const OWNERS: usize = 4;
/// Whoever logged on at an address within this time before and after is there.
const AT_HOME: Duration = Duration::from_secs(15 * 60);
/// Two machines that use a ticket by turns do so within this time; a machine does not move so often.
const BY_TURNS: Duration = Duration::from_secs(15 * 60);
/// People at an address beyond whom one more says nothing.
const CROWD: usize = 4;
/// Accounts remembered that were there when a ticket came.
const OCCUPANTS: usize = 4;
/// A ticket lives for ten hours as a rule.
const LIFETIME: Duration = Duration::from_secs(10 * 3600);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct PassTheTicket {
    waiting: Table<Digest, Use, WAITING>,
    /// Tickets that came to where others had been at home, until it is seen whether they still are.
    occupied: Table<Digest, (Use, Vec<Account>), WAITING>,
    /// Two addresses → what speaks for their being one machine.
    pairs: Table<(IpAddr, IpAddr), Pair, PAIRS>,
}

/// A ticket presented from a second address, the first time.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Use {
    mark: Mark,
    asker: Asker,
    issued_to: IpAddr,
    server: Host,
    service: Box<str>,
    issued_for: Box<str>,
    believed: bool,
    /// Whether it was used again where it was issued to.
    back: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Pair {
    /// The same request was seen from both.
    translated: bool,
    /// Whose tickets went from one to the other.
    owners: BTreeSet<Account>,
}

/// What tells that somebody else has the ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Why {
    /// Where it was issued to, it is still used.
    Both,
    /// Others are at home at the second address.
    Occupied,
    /// It is presented in another dialect.
    Dialect(Stack),
    /// Its service's name was exchanged.
    Renamed,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    why: BTreeSet<Why>,
    owner: Option<Account>,
    issued_to: BTreeSet<IpAddr>,
}

impl Detection for PassTheTicket {
    type Key = Asker;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::TGS.and(Kinds::AP);

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        let (ticket, refused) = match &activity.kind {
            Kind::Tgs(exchange) if !scene.repeated => {
                let request = exchange.request.as_ref();
                let Some(ticket) = request.and_then(|request| request.presented.as_ref()) else {
                    return;
                };
                let refused = match exchange.answer {
                    Answer::Refused(code) => Some(code),
                    _ => None,
                };
                (ticket, refused)
            }
            Kind::Ap(exchange) => (&exchange.ticket, exchange.error),
            _ => return,
        };
        let Some(fact) = scene.knowledge.tickets.get(ticket) else {
            return;
        };
        let believed = !refused.is_some_and(shown_without_key);
        let from = activity.client.ip;
        if !ticket.service.eq_ignore_ascii_case(&fact.service) && believed {
            let seen = used(activity, ticket, fact, true, scene);
            record(&seen, Why::Renamed, scene, campaigns);
        }
        let login = fact.login(ticket.id);
        if from == fact.home() {
            if let Some(elsewhere) = self.waiting.get_mut(&login) {
                elsewhere.back = true;
                let places = (elsewhere.issued_to, elsewhere.asker.ip);
                if scene.knowledge.hosts.are_two(places.0, places.1)
                    && !self.are_one(places, scene)
                    && let Some(elsewhere) = self.waiting.remove(&login)
                {
                    record(&elsewhere, Why::Both, scene, campaigns);
                }
            }
            return;
        }
        if fact.forwarded || fact.relayed || scene.standing(from).is_trusted() {
            return;
        }
        if let Kind::Ap(exchange) = &activity.kind
            && (exchange.carrier == Carrier::Http || is_handed_on(ticket, exchange.carrier))
        {
            return;
        }
        if self.is_translated(activity, fact, scene) {
            return;
        }
        let seen = used(activity, ticket, fact, believed, scene);
        if let Some(why) = self.why(activity, fact, scene) {
            record(&seen, why, scene, campaigns);
            return;
        }
        let places = (fact.home(), from);
        let before = self.waiting.get(&login);
        let by_turns = before.is_some_and(|one| {
            one.back && one.asker.ip == from && scene.now <= one.mark.now + BY_TURNS
        });
        if by_turns && !self.are_one(places, scene) {
            record(&seen, Why::Both, scene, campaigns);
            self.waiting.remove(&login);
            return;
        }
        let occupants = self.occupants(places, fact, scene);
        if !occupants.is_empty() && self.occupied.get(&login).is_none() {
            let seen = seen.clone();
            self.occupied.touch(login, scene.now, || (seen, occupants));
        }
        if before.is_some_and(|one| one.asker.ip != from || scene.now > one.mark.now + BY_TURNS) {
            self.waiting.remove(&login);
        }
        self.waiting.touch(login, scene.now, || seen);
    }

    fn tick(&mut self, scene: &Scene<'_>, campaigns: &mut Campaigns<Asker, Facts>) {
        while let Some((_, (seen, occupants))) = self.occupied.pop_before(scene.now - AT_HOME) {
            let hosts = &scene.knowledge.hosts;
            let after = seen.mark.now + Duration::from_nanos(1);
            let stay = hosts
                .logons(seen.asker.ip, after)
                .any(|one| occupants.contains(one));
            if stay {
                self.tell_of(&seen, scene, campaigns);
            }
        }
        self.waiting.expire(scene.now - LIFETIME);
        self.pairs.expire(scene.now - LIFETIME);
    }

    fn finish(&mut self, scene: &Scene<'_>, campaigns: &mut Campaigns<Asker, Facts>) {
        while let Some((_, (seen, _))) = self.occupied.pop_before(Timestamp::MAX) {
            self.tell_of(&seen, scene, campaigns);
        }
    }

    fn judge(campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        let sure = campaign.facts.why.iter().any(|&why| why > Why::Occupied);
        let (severity, confidence) = match (sure, campaign.facts.why.len()) {
            (true, _) => (Severity::High, Confidence::High),
            (false, 0 | 1) => (Severity::Medium, Confidence::Medium),
            (false, _) => (Severity::High, Confidence::Medium),
        };
        Judgement {
            severity,
            confidence,
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let facts = &campaign.facts;
        let from = list(
            facts.issued_to.iter().map(|&ip| scene.place(ip)),
            facts.issued_to.len() as u64,
        );
        let owner = facts
            .owner
            .as_ref()
            .map_or_else(|| "somebody".to_owned(), Account::to_string);
        let mut reason = format!("Tickets of {owner} were issued to {from}.");
        for why in &facts.why {
            reason += &match why {
                Why::Both => {
                    " They are still used there while another machine uses them too.".to_owned()
                }
                Why::Occupied => " At the second machine other accounts are at home, who never \
                    logged on from the first."
                    .to_owned(),
                Why::Dialect(stack) => format!(
                    " The second machine presents them as {} does, which was never heard from the \
                     first.",
                    stack.name()
                ),
                Why::Renamed => {
                    " The name of the service in a ticket is not the one it was issued \
                    for: only tools exchange it."
                        .to_owned()
                }
            };
        }
        Story {
            summary: format!(
                "{} used tickets that were issued to {from}.",
                who(&campaign.source, scene)
            ),
            reason,
        }
    }

    fn tables(&self, into: &mut BTreeMap<&'static str, TableStats>) {
        into.insert("pass-the-ticket-waiting", self.waiting.stats());
        into.insert("pass-the-ticket-occupied", self.occupied.stats());
        into.insert("pass-the-ticket-pairs", self.pairs.stats());
    }
}

impl PassTheTicket {
    /// What tells at once that another machine than the ticket's presents it, if anything does.
    fn why(&mut self, activity: &Activity, fact: &TicketFact, scene: &Scene<'_>) -> Option<Why> {
        let (home, from) = (fact.home(), activity.client.ip);
        let stack = match &activity.kind {
            Kind::Tgs(exchange) => exchange.request.as_ref().and_then(stacks::of_tgs),
            Kind::Ap(_) => scene.knowledge.tools.get(activity).and_then(Tool::stack),
            _ => None,
        };
        let heard = &scene.knowledge.stacks;
        if let Some(stack) = stack
            && (heard.is_strange(home, stack) || stack.is_tool() && !heard.has_heard(home, stack))
        {
            return Some(Why::Dialect(stack));
        }
        let owner = fact.owner.as_ref();
        let pair = self.pairs.touch(pair(home, from), scene.now, Pair::default);
        if let Some(owner) = owner
            && pair.owners.len() < OWNERS
            && !pair.owners.contains(owner)
        {
            pair.owners.insert(owner.clone());
        }
        None
    }

    /// Who was at home at the second address when a ticket came there, and never at the first.
    fn occupants(
        &self,
        (home, from): (IpAddr, IpAddr),
        fact: &TicketFact,
        scene: &Scene<'_>,
    ) -> Vec<Account> {
        let hosts = &scene.knowledge.hosts;
        let owner = fact.owner.as_ref();
        // A computer's own ticket travels with the computer, over whichever of its addresses.
        if owner.is_none_or(Account::is_machine)
            || self.are_one((home, from), scene)
            || home.is_ipv4() != from.is_ipv4()
            || hosts.is_shared(home) && hosts.is_shared(from)
            || hosts.people(from) >= CROWD
        {
            return Vec::new();
        }
        let there = hosts.logons(from, scene.now - AT_HOME);
        let strangers = there.filter(|&other| {
            let mut known = hosts.logons(home, Timestamp::ZERO);
            Some(other) != owner && !known.any(|known| known == other)
        });
        strangers.take(OCCUPANTS).cloned().collect()
    }

    /// Whether both addresses belong to one machine, as far as tickets and names tell.
    fn are_one(&self, (a, b): (IpAddr, IpAddr), scene: &Scene<'_>) -> bool {
        let known = self.pairs.get(&pair(a, b)).is_some_and(|pair| {
            pair.translated || pair.owners.len() > 1 && pair.owners.iter().any(Account::is_machine)
        });
        known || scene.knowledge.hosts.are_one(a, b)
    }

    /// Others are at home where the ticket came to, unless it is one machine by now.
    fn tell_of(&self, seen: &Use, scene: &Scene<'_>, campaigns: &mut Campaigns<Asker, Facts>) {
        if !self.are_one((seen.issued_to, seen.asker.ip), scene) {
            record(seen, Why::Occupied, scene, campaigns);
        }
    }

    /// Whether the request was seen from both addresses: once before and once behind a translator.
    fn is_translated(&mut self, activity: &Activity, fact: &TicketFact, scene: &Scene<'_>) -> bool {
        let pair = pair(fact.home(), activity.client.ip);
        if self.pairs.get(&pair).is_some_and(|pair| pair.translated) {
            return true;
        }
        let translated = match &activity.kind {
            Kind::Tgs(exchange) => exchange.request.as_ref().is_some_and(|request| {
                let requests = &scene.knowledge.requests;
                requests.sent_from(fact.home(), request.digest)
            }),
            _ => false,
        };
        if translated {
            let known = self.pairs.touch(pair, scene.now, Pair::default);
            known.translated = true;
        }
        translated
    }
}

impl Use {
    fn detail(&self, scene: &Scene<'_>) -> String {
        let Self {
            service,
            issued_for,
            ..
        } = self;
        let from = scene.place(self.asker.ip);
        if service.eq_ignore_ascii_case(issued_for) {
            let home = scene.place(self.issued_to);
            format!("a ticket for {service}, issued to {home}, was presented from {from}")
        } else {
            format!(
                "a ticket issued for {issued_for} was presented from {from} as one for {service}"
            )
        }
    }
}

fn pair(a: IpAddr, b: IpAddr) -> (IpAddr, IpAddr) {
    (a.min(b), a.max(b))
}

fn used(
    activity: &Activity,
    ticket: &Ticket,
    fact: &TicketFact,
    believed: bool,
    scene: &Scene<'_>,
) -> Use {
    Use {
        mark: Mark::new(activity, scene),
        asker: Asker {
            ip: activity.client.ip,
            account: fact.owner.clone(),
        },
        issued_to: fact.home(),
        server: activity.server.clone(),
        service: ticket.service.clone(),
        issued_for: fact.service.clone(),
        believed,
        back: false,
    }
}

fn record(seen: &Use, why: Why, scene: &Scene<'_>, campaigns: &mut Campaigns<Asker, Facts>) {
    let source = Party {
        account: seen.asker.account.clone().filter(|_| seen.believed),
        ..scene.machine(&seen.asker.ip.into())
    };
    let event = Event {
        at: seen.mark.at,
        evidence: seen.mark.evidence(seen.detail(scene)),
        target: Some(scene.machine(&seen.server)),
    };
    let record = campaigns.record::<PassTheTicket>(scene, &seen.asker, &source, [event]);
    if let Some(facts) = record {
        facts.why.insert(why);
        facts.owner.clone_from(&seen.asker.account);
        facts.issued_to.insert(seen.issued_to);
    }
}
