//! NTLMv1 and LM: answers to a challenge that give the password's hash away ([MS-NLMP] 3.3.1).
//!
//! Old appliances, and Windows machines whose `LmCompatibilityLevel` was lowered. NTLM2, which mixes
//! a challenge of the client's into NTLMv1, cracks as easily. What was refused is not told.

use goshawk_model::ntlm::{LmResponse, NtResponse};
use goshawk_model::{Activity, Kind, Outcome, Severity};

use super::super::asker::Asker;
use super::{Exposure, Shown, Weakness};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;

pub(in crate::detections) const DESCRIPTION: Description = Description {
    external_id: 9031,
    name: "ntlmv1",
    title: "Logon with NTLMv1 or LM",
    severity: Severity::Low,
    techniques: &["T1557"],
    learning: None,
    meaning: "The answers of NTLMv1 and LM are made with DES: who reads one finds the account's hash within hours, and can log on with it.",
    help: "Seen are logons that a server accepted, whatever protocol carried them. Those that a member server passes on are sealed.",
    look_alikes: "There are none: the answer's form is plain.",
    remediation: &[
        "Set the client to NTLMv2 alone (LmCompatibilityLevel 3 or higher), or replace it.",
        "Change the account's password afterwards.",
        "Once no client needs it, refuse LM and NTLMv1 at the controllers (LmCompatibilityLevel 5, 'ntlm auth = ntlmv2-only').",
    ],
};

pub(in crate::detections) type Ntlmv1 = Exposure<Old>;

#[derive(Clone, Debug, Default)]
pub(in crate::detections) struct Old;

impl Weakness for Old {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::NTLM;
    const TABLE: &'static str = "ntlmv1-told";
    const DOES: &'static str = "logs on with NTLMv1 or LM to";

    fn shown(activity: &Activity, scene: &Scene<'_>) -> Option<Shown> {
        let Kind::Ntlm(logon) = &activity.kind else {
            return None;
        };
        let shown = logon.authenticate.as_ref()?;
        let old = matches!(shown.nt_response, NtResponse::Ntlmv1 | NtResponse::Ntlm2)
            || shown.lm_response == LmResponse::Lm;
        if !old || activity.outcome != Outcome::Success {
            return None;
        }
        Some(Shown::by(&Asker::of(activity, scene), activity, scene))
    }
}
