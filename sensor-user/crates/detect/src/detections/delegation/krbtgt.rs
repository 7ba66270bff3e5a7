//! A ticket-granting ticket by delegation: S4U for krbtgt.
//!
//! **The attack.** Who may write krbtgt's `msDS-AllowedToActOnBehalfOfOtherIdentity` lets an account
//! of his delegate to krbtgt. S4U2proxy for `krbtgt` then gives a ticket-granting ticket of any user:
//! a golden ticket that a controller issued itself, and a back door that stays.
//!
//! **On the wire.** A TGS request with `cname-in-addl-tkt` ([MS-SFU] 2.2.3), or with `PA-FOR-USER`
//! (2.2.1), whose service is `krbtgt`.
//!
//! **Look-alikes.** No service has reason to delegate to krbtgt; renewed and forwarded tickets have
//! neither. A machine that runs services under a delegated managed account asks so for that account's
//! ticket, and says so in `S4UUserID`'s options: that is `managed_accounts`' business.

use goshawk_model::{Activity, Confidence, Severity};
use serde::{Deserialize, Serialize};

use super::{S4u, ending};
use crate::campaign::{Campaign, Campaigns, Judgement, Story};
use crate::description::Description;
use crate::detections::Detection;
use crate::detections::asker::{Asker, who};
use crate::kinds::Kinds;
use crate::scene::Scene;

pub(in crate::detections) const DESCRIPTION: Description = Description {
    external_id: 2040,
    name: "krbtgt-delegation",
    title: "A ticket-granting ticket asked for by delegation",
    severity: Severity::High,
    techniques: &["T1558.001"],
    learning: None,
    meaning: "Somebody asked for a ticket-granting ticket in another's name. Where krbtgt lets an \
        account delegate to it, that account is everybody in the domain.",
    help: "Seen is the request: on behalf of a user, for krbtgt.",
    look_alikes: "No honest service is known to ask so.",
    remediation: &[
        "Clear msDS-AllowedToActOnBehalfOfOtherIdentity of krbtgt, and find out who wrote it.",
        "Disable the account that asked, and isolate the source.",
        "If it was granted, reset krbtgt twice, with the time of a ticket's life between.",
    ],
};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::detections) struct KrbtgtDelegation {}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::detections) struct Facts {
    granted: u64,
}

impl Detection for KrbtgtDelegation {
    type Key = Asker;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::TGS;

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        let Some(s4u) = S4u::of(activity).filter(|s4u| s4u.service().is_ticket_granting()) else {
            return;
        };
        let asker = s4u.asker(activity, scene);
        let source = s4u.source(activity, &asker, scene);
        let event = s4u.event(activity, scene);
        if let Some(facts) = campaigns.record::<Self>(scene, &asker, &source, [event]) {
            facts.granted += u64::from(s4u.granted());
        }
    }

    fn judge(_campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        Judgement {
            severity: Severity::High,
            confidence: Confidence::High,
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        Story {
            summary: format!(
                "{} asked for a ticket-granting ticket in somebody else's name.",
                who(&campaign.source, scene)
            ),
            reason: format!(
                "Services delegate to services, never to krbtgt; such a ticket is good for \
                 everything that the user may do.{}",
                ending(campaign.facts.granted)
            ),
        }
    }
}
