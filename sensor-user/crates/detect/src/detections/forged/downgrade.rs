//! A ticket-granting ticket sealed with RC4, in a domain that seals with AES.
//!
//! With the NT hash of `krbtgt` alone a forger can only use RC4 (mimikatz `/krbtgt`, ticketer
//! `-nthash`). A KDC takes the strongest key of `krbtgt` whatever the client offers, so in a domain
//! that was seen sealing its tickets with AES, and none with RC4, no KDC made it. Domains that have
//! kept the level of Windows 2003 seal everything with RC4.

use goshawk_model::{Activity, Confidence, Severity};

use super::super::is_rc4;
use super::{Description, Finding, Forged, GOLDEN, Kinds, Scene, Shown, Sign};

pub(in super::super) const DESCRIPTION: Description = Description {
    external_id: 2009,
    name: "golden-ticket-downgrade",
    title: "Ticket-granting ticket with weaker encryption than the domain's (golden ticket)",
    severity: Severity::Medium,
    techniques: &[GOLDEN],
    learning: None,
    meaning: "A ticket was shown that is sealed with RC4, though the controllers seal theirs with AES. \
        Who makes such tickets has the hash of krbtgt and can be anybody in the domain.",
    help: "Seen is with what the ticket is sealed, and with what the domain's own tickets are. What is \
        inside it cannot be read.",
    look_alikes: "A controller that seals with RC4 and is not watched, in a domain that has not been \
        raised above the level of Windows 2003.",
    remediation: super::REMEDIATION,
};

pub(in super::super) type GoldenDowngrade = Forged<Downgrade>;

#[derive(Default)]
pub(in super::super) struct Downgrade;

impl Sign for Downgrade {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::TGS;
    const DOES: &'static str =
        "used a ticket-granting ticket with weaker encryption than the domain's";

    fn seen(activity: &Activity, scene: &Scene<'_>) -> Option<Finding> {
        let shown = Shown::new(activity, scene)?;
        if !is_rc4(shown.ticket.etype) {
            return None;
        }
        let coins = scene.knowledge.mint.coins(shown.realm())?;
        let stronger = coins.strong || coins.strong_services;
        if coins.rc4 || !stronger {
            return None;
        }
        let sign = "the ticket is sealed with RC4, while the controllers seal with AES".to_owned();
        Some(shown.finding(sign, Confidence::Medium, activity, scene))
    }
}
