//! An account called like a controller (CVE-2021-42278, CVE-2021-42287, "noPac").
//!
//! **The attack.** Somebody renames a computer account of his to a controller's name without the
//! dollar, gets a ticket-granting ticket under it, and renames it back. A controller that then asks
//! itself who that ticket belongs to finds nobody, tries again with a dollar, and takes itself for
//! the owner: S4U2self gives an administrator's ticket to the controller: noPac, `sam-the-admin`,
//! Rubeus.
//!
//! **On the wire.** A ticket-granting ticket issued to a controller's name without its dollar; then
//! S4U2self with it. The renaming is seen where LDAP is readable.
//!
//! **Look-alikes.** Who forgets the dollar is refused: there is no such account.

use goshawk_model::kerberos::Answer;
use goshawk_model::ldap::Operation;
use goshawk_model::{Account, Activity, Confidence, Kind, Outcome, Party, Severity};
use serde::{Deserialize, Serialize};

use super::{S4u, ending};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::detections::asker::{Asker, who};
use crate::detections::services::Service;
use crate::detections::{Detection, evidence};
use crate::kinds::Kinds;
use crate::knowledge::Standing;
use crate::scene::Scene;

pub(in crate::detections) const DESCRIPTION: Description = Description {
    external_id: 2419,
    name: "sam-name-spoofing",
    title: "An account called like a domain controller (noPac)",
    severity: Severity::High,
    techniques: &["T1134.001", "T1068", "T1558"],
    learning: None,
    meaning: "An account took the name of a domain controller, without the dollar at its end. \
        Controllers without the fix take its tickets for the controller's own, which makes any \
        account an administrator of the domain.",
    help: "Seen are tickets issued under such a name, what is asked for with them, and the renaming \
        where LDAP is readable.",
    look_alikes: "None known: no account has a reason to be called so.",
    remediation: &[
        "Find the account that was renamed, disable it, and find out who owns it.",
        "Isolate the source. If a ticket was granted in an administrator's name, treat the domain \
         as taken.",
        "Install the fixes for CVE-2021-42278 and CVE-2021-42287 on every controller.",
        "Set ms-DS-MachineAccountQuota to 0.",
    ],
};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::detections) struct SamName {}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::detections) struct Facts {
    renamed: bool,
    logged_on: bool,
    /// S4U2self was asked for with the ticket.
    asked: bool,
    granted: u64,
}

impl Detection for SamName {
    type Key = Asker;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::AS.and(Kinds::TGS).and(Kinds::LDAP);

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        match &activity.kind {
            Kind::As(exchange) => {
                if let (Answer::Issued { .. }, Some(client)) = (&exchange.answer, &exchange.client)
                    && is_controllers(client.name(), activity, scene)
                {
                    let asker = Asker {
                        ip: activity.client.ip,
                        account: Some(client.clone()),
                    };
                    let detail = format!("a ticket was issued to {client}, without a dollar");
                    let facts = record(activity, &asker, true, detail, scene, campaigns);
                    if let Some(facts) = facts {
                        facts.logged_on = true;
                    }
                }
            }
            Kind::Tgs(_) => {
                let Some(s4u) = S4u::of(activity) else {
                    return;
                };
                let asker = s4u.asker(activity, scene);
                let named = asker.account.as_ref();
                if !named.is_some_and(|it| is_controllers(it.name(), activity, scene)) {
                    return;
                }
                let detail = s4u.detail();
                let facts = record(activity, &asker, !s4u.doubted(), detail, scene, campaigns);
                if let Some(facts) = facts {
                    facts.asked = true;
                    facts.granted += u64::from(s4u.granted());
                }
            }
            Kind::Ldap(operation) => {
                let Operation::Modify(Some(modified)) = &operation.operation else {
                    return;
                };
                let renamed = modified.changes.iter().find_map(|change| {
                    let attribute = &change.modification;
                    let named = *attribute.name == *"samaccountname";
                    let name = attribute.texts.first().filter(|_| named)?.to_lowercase();
                    is_controllers(&name, activity, scene).then_some(name)
                });
                if let Some(name) = renamed {
                    let asker = Asker::of(activity, scene);
                    let detail = format!("{} was to be called {name}", modified.object);
                    let facts = record(activity, &asker, true, detail, scene, campaigns);
                    if let Some(facts) = facts {
                        facts.renamed |= activity.outcome != Outcome::Failure;
                    }
                }
            }
            _ => {}
        }
    }

    fn judge(_campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        Judgement {
            severity: Severity::High,
            confidence: Confidence::High,
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let facts = &campaign.facts;
        let mut reason = String::from(
            "A computer's account ends in a dollar; one that has a controller's name without it is \
             made to be mistaken for it.",
        );
        if facts.renamed {
            reason += " The renaming was seen.";
        }
        if facts.logged_on {
            reason += " A ticket-granting ticket was issued under that name.";
        }
        if facts.asked {
            reason += " A ticket in somebody else's name was asked for with it.";
            reason += ending(facts.granted);
        }
        Story {
            summary: format!(
                "{} used an account that is called like a domain controller.",
                who(&campaign.source, scene)
            ),
            reason,
        }
    }
}

/// Whether `name` is that of the controller that is asked, or of another that is known, without
/// the dollar.
fn is_controllers(name: &str, activity: &Activity, scene: &Scene<'_>) -> bool {
    if name.ends_with('$') || name.is_empty() {
        return false;
    }
    let asked = scene.knowledge.name(activity.server.ip);
    let is_asked = asked.is_some_and(|(known, _)| known.eq_ignore_ascii_case(name));
    is_asked
        || scene
            .knowledge
            .hosts
            .address(name)
            .is_some_and(|ip| scene.standing(ip) != Standing::Unknown)
}

fn record<'a>(
    activity: &Activity,
    asker: &Asker,
    believed: bool,
    detail: String,
    scene: &Scene<'_>,
    campaigns: &'a mut Campaigns<Asker, Facts>,
) -> Option<&'a mut Facts> {
    let source = Party {
        account: asker.account.clone().filter(|_| believed),
        ..scene.machine(&activity.client)
    };
    let event = Event {
        at: scene.at,
        evidence: evidence(activity, detail),
        target: Some(Party {
            account: target(activity),
            ..scene.machine(&activity.server)
        }),
    };
    campaigns.record::<SamName>(scene, asker, &source, [event])
}

/// The service that a ticket is asked for.
fn target(activity: &Activity) -> Option<Account> {
    let Kind::Tgs(exchange) = &activity.kind else {
        return None;
    };
    Some(Service::new(exchange.service.as_deref()?).account())
}
