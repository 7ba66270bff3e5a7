//! Forged tickets: whoever has the key that tickets are sealed with makes them without asking.
//!
//! **The attack.** The key of `krbtgt` seals all ticket-granting tickets of a realm (golden ticket),
//! the key of a computer those of its services (silver ticket): impacket `ticketer` and `raiseChild`,
//! mimikatz `kerberos::golden`, Rubeus `golden`, `silver`, `diamond`.
//!
//! **On the wire.** A ticket comes out of nowhere: it is shown, and no controller was seen issuing it.
//! That alone says little, for a sensor may have started after the logon. What its forger got wrong
//! says more, and each mistake is a rule of its own: [`downgrade`], [`refused`], [`overlong`],
//! [`nobody`], [`odd`] for ticket-granting tickets, [`silver`] for those of services; [`sapphire`] is
//! how a forger obtains real authorization data. Where tickets are opened with a keytab, what is wrong
//! inside them counts for the rule that it fits ([`contents`]). A ticket that a controller was seen to issue is
//! never taken for forged here.
//!
//! **Look-alikes.** Tickets older than the recording, and those of controllers that are not watched:
//! alone they raise nothing. Tickets of other realms are sealed with the keys of trusts and do not
//! count.

mod contents;
pub(super) mod downgrade;
pub(super) mod nobody;
pub(super) mod odd;
pub(super) mod overlong;
pub(super) mod refused;
pub(super) mod sapphire;
pub(super) mod silver;

use std::collections::BTreeSet;
use std::marker::PhantomData;

use goshawk_model::kerberos::{Answer, TgsExchange, TgsRequest, Ticket, error_name};
use goshawk_model::{Account, Activity, Confidence, Kind, Outcome, Party};
use serde::{Deserialize, Serialize};

use super::asker::{Asker, who};
use super::services::Service;
use super::{Detection, evidence};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::knowledge::{Absence, Standing, Stranger, on_behalf};
use crate::scene::Scene;

/// Golden, and any ticket-granting ticket.
const GOLDEN: &str = "T1558.001";

/// What to do about a forged ticket-granting ticket.
const REMEDIATION: &[&str] = &[
    "Isolate the source, and end the sessions that were opened with the ticket.",
    "Find out whether every controller is watched and listed; a ticket from one that is not is real.",
    "If not, the key of krbtgt is in the attacker's hands: reset its password twice, with the time of a \
     ticket's life between.",
    "Find out how the key was taken: by DCSync, from a controller's disk, memory or backup.",
];

/// Different signs kept of a campaign.
const SIGNS: usize = 8;

/// A mistake by which a forged ticket is known.
pub(super) trait Sign: Default {
    const DESCRIPTION: &'static Description;
    const LISTENS: Kinds;
    /// What the source does, in a sentence.
    const DOES: &'static str;

    /// Whether `activity` shows it.
    fn seen(activity: &Activity, scene: &Scene<'_>) -> Option<Finding>;
}

/// A forged ticket, or what is taken for one.
pub(super) struct Finding {
    pub(super) confidence: Confidence,
    /// Whose the ticket claims to be.
    pub(super) account: Option<Account>,
    /// What is wrong with it.
    pub(super) sign: String,
    /// What speaks against it.
    pub(super) doubt: Option<String>,
    pub(super) target: Party,
}

/// The rule for one sign.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) struct Forged<S>(#[serde(skip)] PhantomData<S>);

impl<S> Default for Forged<S> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    confidence: Option<Confidence>,
    signs: BTreeSet<String>,
    doubts: BTreeSet<String>,
    claimed: Option<Account>,
    accepted: u64,
}

impl<S: Sign> Detection for Forged<S> {
    type Key = Asker;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = S::DESCRIPTION;
    const LISTENS: Kinds = S::LISTENS;

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        if scene.repeated {
            return;
        }
        let Some(finding) = S::seen(activity, scene) else {
            return;
        };
        let accepted = activity.outcome == Outcome::Success;
        let asker = Asker {
            ip: activity.client.ip,
            account: finding.account.clone(),
        };
        let source = Party {
            account: asker.account.clone().filter(|_| accepted),
            ..scene.machine(&activity.client)
        };
        let event = Event {
            at: scene.at,
            evidence: evidence(activity, format!("{}: {}", activity.kind, finding.sign)),
            target: Some(finding.target),
        };
        let Some(facts) = campaigns.record::<Self>(scene, &asker, &source, [event]) else {
            return;
        };
        facts.confidence = facts.confidence.max(Some(finding.confidence));
        facts.claimed = asker.account.clone();
        facts.accepted += u64::from(accepted);
        if facts.signs.len() < SIGNS {
            facts.signs.insert(finding.sign);
        }
        if facts.doubts.len() < SIGNS {
            facts.doubts.extend(finding.doubt);
        }
        if let Some(account) = asker.account.as_ref().filter(|_| accepted) {
            campaigns.acts_as(&asker, account);
        }
    }

    fn judge(campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        Judgement {
            severity: S::DESCRIPTION.severity,
            confidence: campaign.facts.confidence.unwrap_or(Confidence::Low),
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let facts = &campaign.facts;
        let claimed = match &facts.claimed {
            Some(account) if campaign.source.account.is_none() => {
                format!(" in the name of {account}")
            }
            _ => String::new(),
        };
        let ending = match facts.accepted {
            0 => "; it was not accepted, as far as was seen",
            _ => "; it was accepted",
        };
        let mut reason = String::from("What gives it away:");
        for sign in &facts.signs {
            reason += &format!(" {sign}.");
        }
        for doubt in &facts.doubts {
            reason += &format!(" Against it speaks: {doubt}.");
        }
        Story {
            summary: format!(
                "{} {}{claimed}{ending}.",
                who(&campaign.source, scene),
                S::DOES
            ),
            reason,
        }
    }
}

/// A ticket-granting ticket of the realm's own that no controller was seen issuing, shown to one.
struct Shown<'a> {
    exchange: &'a TgsExchange,
    request: &'a TgsRequest,
    ticket: &'a Ticket,
    stranger: &'a Stranger,
}

impl<'a> Shown<'a> {
    fn new(activity: &'a Activity, scene: &Scene<'a>) -> Option<Self> {
        let Kind::Tgs(exchange) = &activity.kind else {
            return None;
        };
        let request = exchange.request.as_ref()?;
        let ticket = request.presented.as_ref()?;
        let stranger = scene.knowledge.strangers.get(&ticket.id)?;
        Some(Self {
            exchange,
            request,
            ticket,
            stranger,
        })
    }

    fn realm(&self) -> &'a str {
        Service::new(&self.ticket.service).realm()
    }

    fn accepted(&self) -> bool {
        matches!(self.exchange.answer, Answer::Issued { .. })
    }

    /// The error with which it was refused, and its name.
    fn error(&self) -> Option<(i32, &'static str)> {
        match self.exchange.answer {
            Answer::Refused(code) => Some((code, error_name(code))),
            _ => None,
        }
    }

    /// Whether the error may concern somebody else than the owner of the ticket.
    fn concerns_others(&self) -> bool {
        on_behalf(self.request) || !self.request.additional.is_empty()
    }

    /// A finding of the sign, on the service that was asked for.
    fn finding(
        &self,
        sign: String,
        confidence: Confidence,
        activity: &Activity,
        scene: &Scene<'_>,
    ) -> Finding {
        let (confidence, doubt) = weighed(confidence, scene);
        let service = self.exchange.service.as_deref().map(Service::new);
        Finding {
            confidence,
            account: self.stranger.owner.clone(),
            sign,
            doubt,
            target: Party {
                account: service.map(|service| service.account()),
                ..scene.machine(&activity.server)
            },
        }
    }
}

/// Whether it says something of who shows a ticket that nobody was seen issuing it. A controller gets
/// its own tickets from itself, which no mirror port sees; so what acts as one is let alone.
fn may_lack_issue(activity: &Activity, scene: &Scene<'_>) -> bool {
    scene.standing(activity.client.ip) == Standing::Unknown
}

/// A sign weighs more where every controller is watched and none issued the ticket; else why not.
fn weighed(confidence: Confidence, scene: &Scene<'_>) -> (Confidence, Option<String>) {
    match scene.knowledge.absence(scene.now, scene.settings) {
        Absence::Certain => (Confidence::High, None),
        Absence::Doubtful(doubt) => {
            let doubt = format!("the ticket's issue may have been missed, since {doubt}");
            (confidence, Some(doubt))
        }
    }
}
