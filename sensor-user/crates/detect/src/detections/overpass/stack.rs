//! Overpass-the-hash by dialect: a tool made for attacks logs on.
//!
//! **On the wire.** An AS-REQ with a proof, made as only impacket, minikerberos or Rubeus make it
//! (`knowledge::stacks`), and answered with a ticket. What it offered shows whether it had a key
//! alone or may have had a password (`knowledge::offers`). A key is told without any history. Where it
//! may have been a password, the tool was made to keep the ticket for later, or the account is at home
//! on another machine; else the logon is the beginning of another attack, or of honest work.
//!
//! **Look-alikes.** Administrators and testers use these tools too: exclude their machine. Rubeus'
//! `/opsec` imitates Windows and is not told apart here; Rubeus makes RC4 of a password, and is believed
//! to have a hash. The one hit of somebody who guesses passwords with such a library is part of the
//! guessing and is reported there; a roasted account's logon without proof is none.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use goshawk_model::kerberos::{Answer, AsExchange, AsRequest, error, etype_name};
use goshawk_model::{Activity, Confidence, Kind, Severity};
use serde::{Deserialize, Serialize};

use super::{Held, Logon};
use crate::campaign::{Campaign, Campaigns, Judgement, Story};
use crate::description::Description;
use crate::detections::Detection;
use crate::detections::asker::{Asker, who};
use crate::kinds::Kinds;
use crate::knowledge::{Secret, Stack, stacks};
use crate::scene::Scene;
use crate::table::{Table, TableStats};
use crate::words::{count, etypes, list};

pub(in crate::detections) const DESCRIPTION: Description = Description {
    external_id: 2002,
    name: "overpass-the-hash",
    title: "An attack tool logged on over Kerberos (overpass-the-hash)",
    severity: Severity::Medium,
    techniques: &["T1550.002"],
    learning: None,
    meaning: "A program made for attacks got a ticket in an account's name. Such programs need no \
        password: a hash or key taken from a machine's memory will do, and whoever holds the \
        ticket is the account from then on.",
    help: "Seen is how the ticket was asked for: options, order, encryption types and lifetime, \
        which together only the tool named has. By what it offers it often shows whether it had a key \
        or a password; where it does not, confidence is lower.",
    look_alikes: "Administrators and testers who use the same tools; exclude their machine.",
    remediation: &[
        "Ask the account's owner, and whoever answers for the source, whether they use such a tool.",
        "If nobody does, isolate the source and reset the account's password twice: its keys are \
         known to the attacker.",
        "Look for where the key came from: machines on which the account logged on lately.",
        "Put people who administer into 'Protected Users', whose keys are not kept in memory.",
    ],
};

/// Sources whose refusals are remembered.
const SOURCES: usize = 16_384;
/// Refusals that make a source one that guesses.
const GUESSES: u32 = 3;
/// A guesser's hit comes within this time of his misses.
const GUESSING: Duration = Duration::from_secs(600);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::detections) struct OverpassStack {
    held: Held<(Stack, Secret)>,
    /// Refusals of a tool's requests.
    refused: Table<IpAddr, u32, SOURCES>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::detections) struct Facts {
    stacks: BTreeSet<Stack>,
    /// The encryption types that keys were there for.
    offered: BTreeSet<i32>,
    /// The source spoke differently before.
    strange: bool,
    /// What the tool was given, as far as is known.
    secret: Option<Secret>,
    /// The account is at home elsewhere.
    elsewhere: bool,
    confidence: Option<Confidence>,
}

impl Detection for OverpassStack {
    type Key = Asker;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::AS.and(Kinds::TGS);

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        _campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        match &activity.kind {
            Kind::As(exchange) if !scene.repeated => {
                if let Some(request) = &exchange.request
                    && let Some(stack) = stacks::of_as(request, activity.time)
                    && stack.is_tool()
                {
                    self.asked(activity, (exchange, request), stack, scene);
                }
            }
            Kind::Tgs(exchange) => self.held.used(activity, exchange, scene),
            _ => {}
        }
    }

    fn tick(&mut self, scene: &Scene<'_>, campaigns: &mut Campaigns<Asker, Facts>) {
        while let Some((logon, by)) = self.held.due(Some(scene.now)) {
            tell(&logon, by, scene, campaigns);
        }
        self.refused.expire(scene.now - GUESSING);
    }

    fn finish(&mut self, scene: &Scene<'_>, campaigns: &mut Campaigns<Asker, Facts>) {
        while let Some((logon, by)) = self.held.due(None) {
            tell(&logon, by, scene, campaigns);
        }
    }

    fn judge(campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        Judgement {
            severity: Severity::Medium,
            confidence: campaign.facts.confidence.unwrap_or(Confidence::Low),
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let facts = &campaign.facts;
        let tools = list(
            facts.stacks.iter().map(|stack| stack.name()),
            facts.stacks.len() as u64,
        );
        let offered: Vec<_> = facts.offered.iter().copied().collect();
        let mut reason = format!(
            "{} asked for and given, as only {tools} asks. Offered was {}: operating systems offer all \
             they know, {}.",
            match count(campaign.count, "ticket").as_str() {
                "1 ticket" => "1 ticket was".to_owned(),
                many => format!("{many} were"),
            },
            etypes(&offered),
            match facts.secret {
                Some(Secret::Key) => "the tool offers what it has a key for",
                Some(Secret::Password) => "and the tool all that a password makes",
                _ => "and the tool the same for a password as for a stolen key",
            }
        );
        if facts.elsewhere {
            reason += " The account is at home on another machine, and was never seen here.";
        }
        if facts.strange {
            reason += " The source spoke Kerberos in another way before.";
        }
        Story {
            summary: format!(
                "{} logged on with {tools}, for which a stolen key is enough.",
                who(&campaign.source, scene)
            ),
            reason,
        }
    }

    fn tables(&self, into: &mut BTreeMap<&'static str, TableStats>) {
        into.insert("overpass-the-hash-logons", self.held.stats());
        into.insert("overpass-the-hash-refusals", self.refused.stats());
    }
}

impl OverpassStack {
    fn asked(
        &mut self,
        activity: &Activity,
        (exchange, request): (&AsExchange, &AsRequest),
        stack: Stack,
        scene: &Scene<'_>,
    ) {
        let ip = activity.client.ip;
        match exchange.answer {
            Answer::Refused(error::PREAUTH_REQUIRED) | Answer::Unseen => {}
            Answer::Refused(_) => {
                let refused = self.refused.touch(ip, scene.now, || 0);
                *refused = refused.saturating_add(1);
            }
            Answer::Issued { .. } => {
                let guesses = self.refused.get(&ip).copied().unwrap_or_default();
                if guesses < GUESSES
                    && let Some(account) = &exchange.client
                    && let Some((ticket, logon)) = Logon::of(activity, (exchange, request), scene)
                {
                    let offers = &scene.knowledge.offers;
                    let secret = offers.secret((ip, account), request, stack);
                    self.held.hold(ticket, (logon, (stack, secret)), scene);
                }
            }
        }
    }
}

fn tell(
    logon: &Logon,
    (stack, secret): (Stack, Secret),
    scene: &Scene<'_>,
    campaigns: &mut Campaigns<Asker, Facts>,
) {
    let elsewhere = logon.asker.account.as_ref().is_some_and(|account| {
        let accounts = &scene.knowledge.accounts;
        accounts.lives_elsewhere(account, logon.asker.ip)
    });
    let Some(confidence) = weighed(logon, secret, elsewhere) else {
        return;
    };
    let source = logon.source(scene);
    let key = logon.offered.iter().map(|&etype| etype_name(etype));
    let detail = format!(
        "a ticket was asked for as {} asks, offering {}, and given",
        stack.name(),
        list(key, logon.offered.len() as u64)
    );
    let event = logon.event(detail, scene);
    let record = campaigns.record::<OverpassStack>(scene, &logon.asker, &source, [event]);
    if let Some(facts) = record {
        facts.stacks.insert(stack);
        facts.offered.extend(&logon.offered);
        let heard_otherwise = [Stack::Windows, Stack::Mit]
            .into_iter()
            .any(|usual| scene.knowledge.stacks.has_heard(logon.asker.ip, usual));
        facts.strange |= heard_otherwise;
        facts.elsewhere |= elsewhere;
        facts.secret = facts.secret.max(Some(secret));
        facts.confidence = facts.confidence.max(Some(confidence));
    }
}

/// How likely it is that the logon was made with a key that is not the asker's; `None` where it is as
/// likely part of something else.
fn weighed(logon: &Logon, secret: Secret, elsewhere: bool) -> Option<Confidence> {
    let kept = !logon.used_at_once && !logon.delegates;
    match (secret, kept, elsewhere) {
        (Secret::Key, ..) => Some(Confidence::High),
        (Secret::Either, true, true) => Some(Confidence::Medium),
        (Secret::Either, true, false) | (Secret::Password | Secret::Either, _, true) => {
            Some(Confidence::Low)
        }
        (Secret::Password, _, false) | (Secret::Either, false, false) => None,
    }
}
