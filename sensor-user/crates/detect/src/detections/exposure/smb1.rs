//! SMB 1: a protocol with neither encryption nor signatures worth the name, and with the holes that
//! WannaCry came through.
//!
//! Old scanners, machines and appliances speak nothing else. Told is a logon over it, not the mere
//! offer, which many newer clients still make and drop. Sessions of nobody are told as such.

use goshawk_model::smb::SmbOperation;
use goshawk_model::{Activity, Kind, Outcome, Severity};

use super::super::asker::Asker;
use super::{Exposure, Shown, Weakness};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;

pub(in crate::detections) const DESCRIPTION: Description = Description {
    external_id: 9033,
    name: "smb1",
    title: "Logon over SMB version 1",
    severity: Severity::Low,
    techniques: &["T1210"],
    learning: None,
    meaning: "SMB 1 can be read and changed on its way, and servers that speak it are open to old exploits.",
    help: "Seen is a session that the server accepted in SMB 1, per client.",
    look_alikes: "There are none: the version is plain.",
    remediation: &[
        "Replace or update the client, or let it use SMB 2 or later.",
        "Once no client needs it, turn SMB 1 off at the server ('server min protocol = SMB2').",
    ],
};

pub(in crate::detections) type Smb1Spoken = Exposure<Smb1>;

#[derive(Clone, Debug, Default)]
pub(in crate::detections) struct Smb1;

impl Weakness for Smb1 {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::SMB;
    const TABLE: &'static str = "smb1-told";
    const DOES: &'static str = "speaks SMB 1 to";

    fn shown(activity: &Activity, scene: &Scene<'_>) -> Option<Shown> {
        let Kind::Smb(SmbOperation::Session(setup)) = &activity.kind else {
            return None;
        };
        if setup.smb1.is_none() || setup.null || activity.outcome != Outcome::Success {
            return None;
        }
        let asker = Asker::of(activity, scene);
        asker.account.as_ref()?;
        let mut shown = Shown::by(&asker, activity, scene);
        // The machine speaks it, whoever works on it.
        shown.key.account = None;
        shown.once.account = None;
        Some(shown)
    }
}
