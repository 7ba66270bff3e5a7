//! Somebody's real authorization data drawn out of the KDC (sapphire ticket).
//!
//! S4U2self gives a ticket with another account's PAC to the service that asks ([MS-SFU] 3.2.5.1).
//! Asked for together with user-to-user, it is sealed with the session key of the asker's own ticket
//! (RFC 4120 3.7), so the asker can open it, needs no service of his own, and gets the PAC: ticketer
//! `-impersonate` puts it into a golden ticket, getST `-u2u` abuses delegation with it. Services that
//! use S4U2self have keys of their own and no reason to combine the two.

use goshawk_model::kerberos::OPTION_ENC_TKT_IN_SKEY;
use goshawk_model::{Activity, Confidence, Kind, Party, Severity};

use super::{Description, Finding, Forged, GOLDEN, Kinds, Scene, Shown, Sign, contents};

pub(in super::super) const DESCRIPTION: Description = Description {
    external_id: 9021,
    name: "sapphire-ticket",
    title: "Another account's authorization data drawn from a controller (sapphire ticket)",
    severity: Severity::High,
    techniques: &[GOLDEN],
    learning: None,
    meaning: "A controller was asked for a ticket in another account's name that the asker can open. The \
        authorization data in it make forged tickets that look real.",
    help: "Seen is the request, which combines S4U2self and user-to-user. What is made of the answer is \
        seen with a keytab alone: a ticket-granting ticket with a service's authorization data.",
    look_alikes: "None is known among ordinary software.",
    remediation: &[
        "Isolate the source and disable the account that asked.",
        "If krbtgt's key may be in the attacker's hands, reset it twice.",
        "Look for tickets used in the name of the accounts that were asked for.",
    ],
};

pub(in super::super) type SapphireTicket = Forged<Sapphire>;

#[derive(Default)]
pub(in super::super) struct Sapphire;

impl Sign for Sapphire {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::TGS;
    const DOES: &'static str =
        "asked for a ticket in another account's name that it can open itself";

    fn seen(activity: &Activity, scene: &Scene<'_>) -> Option<Finding> {
        if let Some(shown) = Shown::new(activity, scene)
            && let Some(sign) = contents::of_a_service(&shown, scene)
        {
            return Some(shown.finding(sign, Confidence::High, activity, scene));
        }
        let Kind::Tgs(exchange) = &activity.kind else {
            return None;
        };
        let request = exchange.request.as_ref()?;
        let whom = request.data.for_user.as_ref()?;
        let openable =
            request.kdc_options & OPTION_ENC_TKT_IN_SKEY != 0 && !request.additional.is_empty();
        openable.then(|| Finding {
            confidence: Confidence::High,
            account: scene.knowledge.asker(activity).cloned(),
            sign: format!("S4U2self for {} together with user-to-user", whom.user),
            doubt: None,
            target: Party {
                account: Some(whom.user.clone()),
                ..Party::default()
            },
        })
    }
}
