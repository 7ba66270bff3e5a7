//! Overpass-the-hash by dialect: a tool made for attacks logs on.
//!
//! **On the wire.** An AS-REQ with a proof, made as only impacket or Rubeus make it
//! (`knowledge::stacks`), and answered with a ticket. That holds without any history.
//!
//! **Look-alikes.** Administrators and testers use these tools too: exclude their machine. Rubeus'
//! `/opsec` imitates Windows and is not told apart here. The one hit of somebody who guesses
//! passwords with such a library is part of the guessing and is reported there; a roasted account's
//! logon without proof is none.

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
use crate::knowledge::{Stack, stacks};
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
        which together only the tool named has. Whether it had a password or a stolen key cannot \
        be seen.",
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
    held: Held<(Logon, Stack)>,
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
            Kind::Tgs(exchange) => self.held.used(exchange),
            _ => {}
        }
    }

    fn tick(&mut self, scene: &Scene<'_>, campaigns: &mut Campaigns<Asker, Facts>) {
        while let Some((logon, stack)) = self.held.due(Some(scene.now)) {
            tell(&logon, stack, scene, campaigns);
        }
        self.refused.expire(scene.now - GUESSING);
    }

    fn finish(&mut self, scene: &Scene<'_>, campaigns: &mut Campaigns<Asker, Facts>) {
        while let Some((logon, stack)) = self.held.due(None) {
            tell(&logon, stack, scene, campaigns);
        }
    }

    fn judge(_campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        Judgement {
            severity: Severity::Medium,
            confidence: Confidence::High,
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
            "{} asked for and given, as only {tools} asks. Offered was {}: tools offer what they \
             have a key for, operating systems offer all they know.",
            match count(campaign.count, "ticket").as_str() {
                "1 ticket" => "1 ticket was".to_owned(),
                many => format!("{many} were"),
            },
            etypes(&offered)
        );
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
                    && let Some((ticket, logon)) = Logon::of(activity, (exchange, request), scene)
                {
                    self.held.hold(ticket, (logon, stack), scene);
                }
            }
        }
    }
}

fn tell(logon: &Logon, stack: Stack, scene: &Scene<'_>, campaigns: &mut Campaigns<Asker, Facts>) {
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
    }
}
