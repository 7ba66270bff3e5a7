//! A ticket-granting ticket used for longer than tickets live.
//!
//! Forged tickets live for ten years unless told otherwise (ticketer, mimikatz). A real one must be
//! renewed after ten hours, or after what the domain's policy says, and a renewed one is another
//! ticket ([MS-GPSB] 2.2.2), until after seven days there must be a new logon; a forged one is renewed for
//! as long as it says. Counted is from the moment it was shown first, so the true age is greater. Opened
//! with a keytab, the ticket says itself how long it is good, and the first use is enough
//! ([`contents::overlong`]).
//!
//! **Look-alikes.** A domain whose tickets live for longer: the configuration may say so
//! (`domain.ticket_hours`), and where a ticket that was seen being issued lived for longer, it shows.
//! While neither that nor a ticket that was refused at its end is known, confidence is low; and where
//! many machines use tickets so, nothing is told.

use goshawk_model::{Activity, Confidence, Severity};

use super::{Description, Finding, Forged, GOLDEN, Kinds, Scene, Shown, Sign, contents};
use crate::knowledge::{Policy, SKEW};

pub(in super::super) const DESCRIPTION: Description = Description {
    external_id: 2022,
    name: "golden-ticket-time",
    title: "Ticket-granting ticket used for longer than tickets live (golden ticket)",
    severity: Severity::High,
    techniques: &[GOLDEN],
    learning: None,
    meaning: "A ticket was accepted though it is older than the domain lets tickets become. Controllers \
        issue none that live so long; who has the key of krbtgt can make one that lives for years.",
    help: "Seen is when the ticket was shown first and that it was accepted long after. When it ends is \
        sealed, and read where there is a keytab.",
    look_alikes: "A domain whose policy lets tickets live for longer than ten hours; say so in the \
        configuration (domain.ticket_hours).",
    remediation: super::REMEDIATION,
};

pub(in super::super) type GoldenTime = Forged<Overlong>;

#[derive(Default)]
pub(in super::super) struct Overlong;

impl Sign for Overlong {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::TGS;
    const DOES: &'static str = "used a ticket-granting ticket for longer than tickets live";

    fn seen(activity: &Activity, scene: &Scene<'_>) -> Option<Finding> {
        let shown = Shown::new(activity, scene)?;
        if let Some((sign, confidence)) = contents::overlong(&shown, scene) {
            return Some(shown.finding(sign, confidence, activity, scene));
        }
        let knowledge = scene.knowledge;
        let (life, ending) = if shown.stranger.renewed {
            (Policy::renewable(&scene.settings.policy), "are renewed for")
        } else {
            (knowledge.policy.lifetime(&scene.settings.policy), "live")
        };
        let age = scene.now.since(shown.stranger.first);
        if !shown.accepted() || age <= life + SKEW + SKEW {
            return None;
        }
        let is_sure = knowledge.policy.is_sure(&scene.settings.policy);
        if !is_sure && knowledge.strangers.are_common() {
            return None;
        }
        let hours = |span: std::time::Duration| span.as_secs() / 3600;
        let sign = format!(
            "the ticket was accepted {} hours after it was shown first, and tickets {ending} {} hours",
            hours(age),
            hours(life)
        );
        let mut finding = shown.finding(sign, Confidence::Medium, activity, scene);
        if !is_sure {
            finding.confidence = Confidence::Low;
            finding.doubt = Some(
                "tickets may live longer here than is usual; neither does the \
                configuration say how long, nor was one seen to end"
                    .to_owned(),
            );
        }
        Some(finding)
    }
}
