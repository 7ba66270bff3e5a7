//! NTLM tampering: an authentication that was changed on its way ("drop the MIC").
//!
//! **The attack.** A client that means its messages to be protected says so inside its response,
//! sealed with its password's key, and adds a code over all three messages, the MIC. Who relays
//! such an authentication to a server that asks for no signatures takes the MIC out and the flags
//! that ask for signatures; servers without the fix of CVE-2019-1040 do not notice: impacket
//! `ntlmrelayx --remove-mic`.
//!
//! **On the wire.** `MsvAvFlags` in the NTLMv2 response says that there is a MIC, and there is none
//! ([MS-NLMP] 2.2.2.1, 3.1.5.1.2). No honest client makes such a message.
//!
//! **Look-alikes.** None known; whether the server noticed does not matter.

use goshawk_model::ntlm::flag;
use goshawk_model::{Activity, Confidence, Kind, Outcome, Party, Severity};
use serde::{Deserialize, Serialize};

use super::asker::{Asker, who};
use super::{Detection, evidence};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;

pub(super) const DESCRIPTION: Description = Description {
    external_id: 2039,
    name: "ntlm-tampering",
    title: "An NTLM authentication changed on its way (drop the MIC)",
    severity: Severity::Medium,
    techniques: &["T1557.001"],
    learning: None,
    meaning: "Somebody took the protection out of an NTLM authentication, to use it for another \
        purpose than the client meant. A server that does not notice gives him a session in the \
        client's name.",
    help: "Seen is a message whose sealed part announces a code over all messages (MIC) that is \
        not there.",
    look_alikes: "No honest client is known to send such a message.",
    remediation: &[
        "Isolate the source: it stands between client and server.",
        "Install the fixes for CVE-2019-1040 and CVE-2019-1166 on the servers that accepted.",
        "Require signatures for SMB and LDAP, and channel binding for LDAPS.",
        "Find out how the client was made to connect to the source.",
    ],
};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct NtlmTampering {}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    accepted: u64,
    /// The flags that ask for signatures are gone as well.
    unsigned: bool,
}

impl Detection for NtlmTampering {
    type Key = Asker;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::NTLM;

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        let Kind::Ntlm(logon) = &activity.kind else {
            return;
        };
        let Some(authenticate) = logon.authenticate.as_ref().filter(|it| it.lacks_mic()) else {
            return;
        };
        let accepted = activity.outcome == Outcome::Success;
        let actor = activity.actor.as_ref();
        let key = Asker {
            ip: activity.client.ip,
            account: actor.map(|actor| scene.knowledge.complete(actor.account.clone())),
        };
        let source = Party {
            account: key.account.clone().filter(|_| accepted),
            ..scene.machine(&activity.client)
        };
        let unsigned = authenticate.flags & (flag::SIGN | flag::ALWAYS_SIGN) == 0;
        let detail = format!(
            "{logon}: a MIC is announced and missing{}",
            if unsigned {
                ", and signatures are not asked for"
            } else {
                ""
            }
        );
        let event = Event {
            at: scene.at,
            evidence: evidence(activity, detail),
            target: Some(scene.machine(&activity.server)),
        };
        if let Some(facts) = campaigns.record::<Self>(scene, &key, &source, [event]) {
            facts.accepted += u64::from(accepted);
            facts.unsigned |= unsigned;
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
        let mut reason = String::from(
            "The response, sealed with a key of the account, announces a code over all messages, \
             and the message has none: it was taken out on the way.",
        );
        if facts.unsigned {
            reason += " So were the flags that ask for signatures.";
        }
        reason += match facts.accepted {
            0 => " The server did not accept it, as far as was seen; the attempt shows the intent.",
            _ => " The server accepted it: it lacks a fix of 2019.",
        };
        Story {
            summary: format!(
                "{} sent an NTLM authentication whose protection was taken out.",
                who(&campaign.source, scene)
            ),
            reason,
        }
    }
}
