//! Brute force and password spray over SMB by a tool for the purpose.
//!
//! **The attack.** SMB answers password guesses fast and is open on every Windows machine: netexec
//! and its forerunner CrackMapExec, impacket's scripts, hydra, medusa, ncrack, Metasploit's
//! `smb_login`.
//!
//! **On the wire.** Logons refused, `STATUS_LOGON_FAILURE` ([MS-ERREF] 2.3.1), on connections whose
//! client is none of those that people use: the tools speak SMB with code of their own, and it shows
//! in how they negotiate and name themselves (`knowledge/tools.rs`). Guesses by an ordinary client in
//! a loop are the matter of the rule for Kerberos and NTLM.
//!
//! Honest programs are written with the same libraries, backup and inventory above all; they know
//! their passwords, and a stale one is told with low severity (see `guessing`).

use goshawk_model::smb::SmbOperation;
use goshawk_model::{Activity, Carrier, Kind, Severity};

use super::guessing::{self, Attempt, GUESSING, Guessing, LEARNING, SPRAYING, Way};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::knowledge::Tool;
use crate::scene::Scene;

pub(super) const DESCRIPTION: Description = Description {
    external_id: 2033,
    name: "smb-brute-force",
    title: "Passwords guessed over SMB with an attacker's tool",
    severity: Severity::Medium,
    techniques: &[GUESSING, SPRAYING],
    learning: Some(LEARNING),
    meaning: "Somebody tries passwords over SMB with a program that attackers use. One hit is enough \
        to act as that account, and on machines where it is an administrator to run programs.",
    help: "Seen is every logon over SMB, how the server answered, and by which quirks the client is \
        recognised. The passwords themselves are not seen.",
    look_alikes: "Tests of one's own, to be excluded; programs written with the same libraries that \
        keep an old password.",
    remediation: &[
        "If an account logged on after the failures, reset its password and end its sessions: the \
         guess was right.",
        "Isolate the source, and find out how the tool came there.",
        "Check the accounts tried for weak passwords, and set a lockout threshold and a list of \
         banned passwords.",
        "Let only machines that need it reach port 445 of the controllers.",
    ],
};

/// The rule.
pub(super) type SmbBruteForce = Guessing<SmbByTools>;

#[derive(Clone, Debug, Default)]
pub(super) struct SmbByTools;

impl Way for SmbByTools {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::NTLM.and(Kinds::SMB);
    const TABLES: [&'static str; 3] = [
        "smb-brute-force-sources",
        "smb-brute-force-victims",
        "smb-brute-force-loops",
    ];

    fn attempt<'a>(
        activity: &'a Activity,
        scene: &Scene<'_>,
    ) -> Option<(Attempt<'a>, Option<Tool>)> {
        let attempt = match &activity.kind {
            Kind::Ntlm(logon) if logon.carrier == Carrier::Smb => guessing::ntlm(activity, logon)?,
            Kind::Smb(SmbOperation::Session(setup)) => guessing::smb1(activity, setup)?,
            _ => return None,
        };
        let tool = scene.knowledge.tools.get(activity)?;
        Some((attempt, Some(tool)))
    }
}
