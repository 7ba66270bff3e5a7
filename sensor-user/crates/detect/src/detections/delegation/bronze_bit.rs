//! BronzeBit (CVE-2020-17049): a ticket's flag flipped, so that it may be delegated.
//!
//! **The attack.** A user who must not be delegated gets a ticket to the service that is not
//! forwardable. The service can open what is sealed with its own key, so who holds that key sets
//! the flag and seals it again; controllers without the fix accept it: impacket
//! `getST -force-forwardable`.
//!
//! **On the wire.** S4U2self answers with one ticket, and the S4U2proxy that follows shows another:
//! of the same service, type and length, and never issued.
//!
//! **Look-alikes.** A ticket from a controller that is not seen; so only where the same asker was
//! just given a ticket of the very same shape, and a moment later shows a different one.

use std::collections::BTreeMap;
use std::time::Duration;

use goshawk_model::kerberos::{Answer, Ticket};
use goshawk_model::{Activity, Confidence, Severity};
use serde::{Deserialize, Serialize};

use super::{S4u, S4uKind, ending};
use crate::campaign::{Campaign, Campaigns, Judgement, Story};
use crate::description::Description;
use crate::detections::Detection;
use crate::detections::asker::{Asker, who};
use crate::kinds::Kinds;
use crate::scene::Scene;
use crate::table::{Table, TableStats};

pub(in crate::detections) const DESCRIPTION: Description = Description {
    external_id: 2048,
    name: "bronze-bit",
    title: "A ticket changed so that it may be delegated (BronzeBit)",
    severity: Severity::Medium,
    techniques: &["T1558"],
    learning: None,
    meaning: "A service showed a user's ticket that no controller issued, in place of one that was \
        just issued and may not be delegated. Who does it holds the service's key, and acts as \
        users who are protected from delegation.",
    help: "Seen is that the ticket shown is not the one issued. The flag itself is sealed.",
    look_alikes: "None known, where both requests are seen.",
    remediation: &[
        "Reset the password of the service's account: its key is known to the attacker.",
        "Isolate the source, and treat the service that was asked for as taken.",
        "Install the fix for CVE-2020-17049 and enforce it on every controller.",
    ],
};

/// Askers remembered with the ticket they got last.
const ASKERS: usize = 16_384;
/// S4U2proxy follows S4U2self at once.
const FOLLOWS: Duration = Duration::from_secs(300);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::detections) struct BronzeBit {
    got: Table<Asker, Ticket, ASKERS>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::detections) struct Facts {
    granted: u64,
}

impl Detection for BronzeBit {
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
        let Some(s4u) = S4u::of(activity) else {
            return;
        };
        let asker = s4u.asker(activity, scene);
        match (s4u.kind, &s4u.exchange.answer) {
            (S4uKind::Own(_), Answer::Issued { ticket, .. }) => {
                *self.got.touch(asker, scene.now, || ticket.clone()) = ticket.clone();
            }
            (S4uKind::Proxy(shown), _) => {
                let Some(got) = self.got.get(&asker) else {
                    return;
                };
                let replaced = got.id != shown.id
                    && got.service.eq_ignore_ascii_case(&shown.service)
                    && (got.etype, got.length) == (shown.etype, shown.length);
                if !replaced || scene.knowledge.tickets.get(shown).is_some() {
                    return;
                }
                let source = s4u.source(activity, &asker, scene);
                let event = s4u.event(activity, scene);
                if let Some(facts) = campaigns.record::<Self>(scene, &asker, &source, [event]) {
                    facts.granted += u64::from(s4u.granted());
                }
            }
            _ => {}
        }
    }

    fn tick(&mut self, scene: &Scene<'_>, _campaigns: &mut Campaigns<Asker, Facts>) {
        self.got.expire(scene.now - FOLLOWS);
    }

    fn judge(_campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        Judgement {
            severity: Severity::Medium,
            confidence: Confidence::High,
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        Story {
            summary: format!(
                "{} asked to delegate with a user's ticket that no controller issued.",
                who(&campaign.source, scene)
            ),
            reason: format!(
                "A moment before, a ticket of the same service and length was issued for the same \
                 purpose; the one shown in its place has other contents, and takes the service's \
                 key to make.{}",
                ending(campaign.facts.granted)
            ),
        }
    }

    fn tables(&self, into: &mut BTreeMap<&'static str, TableStats>) {
        into.insert("bronze-bit-tickets", self.got.stats());
    }
}
