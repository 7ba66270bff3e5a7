//! Services whose tickets are sealed with RC4 or DES although the client offered AES.
//!
//! The account has no newer key: its password is older than the domain's support for AES, or
//! `msDS-SupportedEncryptionTypes` ([MS-KILE] 2.2.7) keeps it back. A client that offers nothing
//! newer gets what it asked for, and that is its own affair: Kerberoasting is told elsewhere. All of a
//! controller's are told together.

use goshawk_model::kerberos::Answer;
use goshawk_model::{Activity, Kind, Party, Severity};

use super::super::is_rc4;
use super::super::services::Service;
use super::{Exposed, Exposure, Shown, Weakness};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;

pub(in crate::detections) const DESCRIPTION: Description = Description {
    external_id: 9032,
    name: "weak-tickets",
    title: "Service with RC4 or DES tickets alone",
    severity: Severity::Low,
    techniques: &["T1558.003"],
    learning: None,
    meaning: "Tickets sealed with RC4 or DES are cracked many times faster than others: whoever asks for one may find the service's password.",
    help: "Seen are tickets that a controller issued with an old cipher to a client that offered AES.",
    look_alikes: "There are none: the cipher is plain. Services outside the domain may know no other.",
    remediation: &[
        "Change the service account's password, so that it gets AES keys, and allow AES in msDS-SupportedEncryptionTypes.",
        "Where the service knows nothing newer, give its account a long random password.",
    ],
};

pub(in crate::detections) type WeakTickets = Exposure<Weak>;

#[derive(Clone, Debug, Default)]
pub(in crate::detections) struct Weak;

impl Weakness for Weak {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::TGS;
    const TABLE: &'static str = "weak-tickets-told";
    const DOES: &'static str = "issues tickets with an old cipher for";

    fn shown(activity: &Activity, scene: &Scene<'_>) -> Option<Shown> {
        let Kind::Tgs(exchange) = &activity.kind else {
            return None;
        };
        let Answer::Issued { ticket, .. } = &exchange.answer else {
            return None;
        };
        let offered = &exchange.request.as_ref()?.etypes;
        let old = is_rc4(ticket.etype) || matches!(ticket.etype, 1..=3);
        if !old || !offered.iter().any(|etype| matches!(etype, 17..=20)) {
            return None;
        }
        let service = Service::new(&ticket.service);
        // A ticket for another realm's controllers is as old as the trust between them.
        if service.is_ticket_granting() {
            return None;
        }
        let account = service.account();
        let controller = activity.server.ip;
        Some(Shown {
            source: scene.machine(&activity.server),
            target: Party {
                account: Some(account.clone()),
                ..Party::default()
            },
            key: Exposed {
                ip: Some(controller),
                account: None,
            },
            once: Exposed {
                ip: None,
                account: Some(account),
            },
        })
    }
}
