//! A service ticket that no controller has issued (silver ticket).
//!
//! With the key of a computer or of a service's account a thief makes tickets for its services and
//! asks no controller. They are seen only where they are presented to a watched machine, and nothing
//! in sight is wrong with them; so this is told only where every controller is watched and has been
//! for longer than tickets live, and only of tickets of the domain's own realm.
//!
//! With the service's key in a keytab more is known, at once: the ticket is good for years, or lacks what
//! those have that controllers issue for the same service. With krbtgt's key too its signatures are
//! checked: the KDC signs what it issues with a key that the thief has not ([`contents::silver`]). A keytab that is older than the
//! controllers' keys shows itself by the tickets that they issue, and proves nothing.

use goshawk_model::{Activity, Confidence, Kind, Party, Severity};

use super::super::services::Service;
use super::{Absence, Description, Finding, Forged, Kinds, Scene, Sign, contents, may_lack_issue};

pub(in super::super) const DESCRIPTION: Description = Description {
    external_id: 9020,
    name: "silver-ticket",
    title: "Service ticket that no controller has issued (silver ticket)",
    severity: Severity::High,
    techniques: &["T1558.002"],
    learning: None,
    meaning: "A ticket was shown to a service that no controller was asked for. Who makes such tickets \
        has the key of the service's account and can be anybody towards it.",
    help: "Seen are tickets presented to machines in sight, and all that the watched controllers issue. \
        Whose name is in the ticket is sealed; with a keytab it is read, and whether the KDC has \
        signed the ticket, which its maker cannot do.",
    look_alikes: "Tickets of a controller that is not watched.",
    remediation: &[
        "Make sure that every controller is watched and listed as one.",
        "If so, isolate the source and reset the password of the account that the service runs under, \
         of a computer twice.",
        "Find out how that password was taken: from the machine's memory, by DCSync, by cracking a \
         ticket.",
    ],
};

pub(in super::super) type SilverTicket = Forged<Silver>;

#[derive(Default)]
pub(in super::super) struct Silver;

impl Sign for Silver {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::AP;
    const DOES: &'static str = "used a service ticket that no controller has issued";

    fn seen(activity: &Activity, scene: &Scene<'_>) -> Option<Finding> {
        let Kind::Ap(shown) = &activity.kind else {
            return None;
        };
        let strange =
            scene.knowledge.is_strange_to_service(shown) && may_lack_issue(activity, scene);
        if !strange {
            return None;
        }
        let service = Service::new(&shown.ticket.service);
        let opened = shown.ticket.opened.as_deref();
        let wrong = opened.and_then(|opened| contents::silver(opened, service, scene));
        let contents::Silver {
            sign,
            confidence,
            doubt,
        } = wrong.or_else(|| never_issued(scene))?;
        Some(Finding {
            confidence,
            account: opened.and_then(|opened| opened.client.clone()),
            sign,
            doubt,
            target: Party {
                account: Some(service.account()),
                ..scene.machine(&activity.server)
            },
        })
    }
}

fn never_issued(scene: &Scene<'_>) -> Option<contents::Silver> {
    let absence = scene.knowledge.absence(scene.now, scene.settings);
    matches!(absence, Absence::Certain).then(|| contents::Silver {
        sign: "no controller has issued the ticket, though all are watched and have been for longer than \
            tickets live"
            .to_owned(),
        confidence: Confidence::Medium,
        doubt: None,
    })
}
