//! A ticket of an account that does not exist.
//!
//! A forger may write any name into a ticket. The KDC looks the account up once the ticket is some
//! minutes old and answers `KDC_ERR_C_PRINCIPAL_UNKNOWN`, which it otherwise says to first requests
//! alone ([MS-KILE] 3.3.5.7). An account that was deleted or renamed while its ticket lived looks the
//! same; where that ticket was seen being issued, it does not count. In S4U the error is about the one
//! who is to be impersonated.
//!
//! While the ticket is young the KDC believes the name, and its answer tells whose it is: then a name of
//! which it said lately that it does not know it, to somebody's first request, is nobody's as well.
//!
//! Opened with a keytab, the ticket shows the name and the account's number. Forgers leave the number at
//! 500, that of the built-in administrator, whatever the name ([`contents::nobody`]).

use goshawk_model::kerberos::error;
use goshawk_model::{Activity, Confidence, Severity};

use super::{Description, Finding, Forged, GOLDEN, Kinds, Scene, Shown, Sign, contents};

pub(in super::super) const DESCRIPTION: Description = Description {
    external_id: 2027,
    name: "golden-ticket-nobody",
    title: "Ticket of an account that does not exist (golden ticket)",
    severity: Severity::High,
    techniques: &[GOLDEN, "T1068", "T1210"],
    learning: None,
    meaning: "A ticket names an account that the controller does not know. Controllers issue no such \
        tickets; it was made with the key of krbtgt.",
    help: "Seen is the controller's answer to the ticket, and what it answered to others who asked for the \
        name; with a keytab the name in it, which is sealed otherwise, and whose number comes with it.",
    look_alikes: "An account deleted or renamed in the last hours whose ticket lives on.",
    remediation: super::REMEDIATION,
};

pub(in super::super) type GoldenNobody = Forged<Nobody>;

#[derive(Default)]
pub(in super::super) struct Nobody;

impl Sign for Nobody {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::TGS;
    const DOES: &'static str = "used a ticket-granting ticket of an account that does not exist";

    fn seen(activity: &Activity, scene: &Scene<'_>) -> Option<Finding> {
        let shown = Shown::new(activity, scene)?;
        if let Some(sign) = contents::nobody(&shown, scene) {
            return Some(shown.finding(sign, Confidence::High, activity, scene));
        }
        if shown.concerns_others() {
            return None;
        }
        let sign = match (shown.error(), &shown.stranger.owner) {
            (Some((error::C_PRINCIPAL_UNKNOWN, name)), _) => {
                format!("the controller answered {name} to the ticket")
            }
            (None, Some(owner))
                if shown.accepted() && scene.knowledge.accounts.is_denied(owner) =>
            {
                format!("the controller said lately that it does not know {owner}")
            }
            _ => return None,
        };
        Some(shown.finding(sign, Confidence::Medium, activity, scene))
    }
}
