//! A ticket-granting ticket that is unlike those that the controllers issue.
//!
//! - Its key version is none of theirs: forgers take 2, the version of a `krbtgt` that was never
//!   reset. The KDC may say so itself (`KRB_AP_ERR_BADKEYVER`).
//! - It is shorter than any that the account, or anybody, was given: what a forger writes into the PAC
//!   is less than what a KDC does. Tickets without a PAC are much shorter still, and honest.
//! - Opened with a keytab, it lacks parts of the PAC that the controllers' tickets have, or calls the
//!   domain as no controller does ([`contents::odd`]).
//! - It is right in everything, and no controller has issued it, though all are watched and have been
//!   for longer than tickets live: a diamond or sapphire ticket, which is a real one changed. What a
//!   controller made of one that was renewed says no more than that one did when it was shown.

use goshawk_model::{Activity, Confidence, Severity};

use super::super::is_rc4;
use super::{
    Absence, Description, Finding, Forged, GOLDEN, Kinds, Scene, Shown, Sign, contents,
    may_lack_issue,
};

/// `KRB_AP_ERR_BADKEYVER`.
const BAD_KEY_VERSION: i32 = 44;
/// A ticket with a PAC has at least so many bytes.
const HAS_PAC: u32 = 600;
/// By how much a forged one is shorter than the account's own; groups that were left make a
/// difference of some bytes.
const LACKS_OWN: u32 = 96;
/// By how much it is shorter than the shortest of many accounts'.
const LACKS_ALL: u32 = 24;

pub(in super::super) const DESCRIPTION: Description = Description {
    external_id: 2032,
    name: "golden-ticket-odd",
    title: "Ticket-granting ticket unlike those that controllers issue (golden or diamond ticket)",
    severity: Severity::High,
    techniques: &[GOLDEN],
    learning: None,
    meaning: "A ticket was shown that no controller made. Who makes such tickets has the key of krbtgt \
        and can be anybody in the domain, for as long as the key stays.",
    help: "Seen are the ticket's length, its key version, and whether it was ever issued; with a keytab \
        what is inside it, which cannot be read otherwise.",
    look_alikes: "Tickets of a controller that is not watched, or from before krbtgt was reset.",
    remediation: super::REMEDIATION,
};

pub(in super::super) type GoldenOdd = Forged<Odd>;

#[derive(Default)]
pub(in super::super) struct Odd;

impl Sign for Odd {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::TGS;
    const DOES: &'static str = "used a ticket-granting ticket that no controller has made";

    fn seen(activity: &Activity, scene: &Scene<'_>) -> Option<Finding> {
        let shown = Shown::new(activity, scene)?;
        if let Some((BAD_KEY_VERSION, name)) = shown.error() {
            let sign = format!("the controller answered {name}: it has no such key version");
            return Some(shown.finding(sign, Confidence::High, activity, scene));
        }
        if let Some(sign) = contents::odd(&shown, scene) {
            return Some(shown.finding(sign, Confidence::High, activity, scene));
        }
        if let Some(sign) = shape(&shown, scene) {
            return Some(shown.finding(sign, Confidence::Medium, activity, scene));
        }
        let perfect = shown.accepted()
            && !shown.stranger.renewed
            && !is_rc4(shown.ticket.etype)
            && may_lack_issue(activity, scene);
        let absence = || scene.knowledge.absence(scene.now, scene.settings);
        (perfect && matches!(absence(), Absence::Certain)).then(|| {
            let sign = "no controller has issued the ticket, though all are watched and have been for \
                longer than tickets live";
            let finding = shown.finding(sign.to_owned(), Confidence::Medium, activity, scene);
            Finding {
                confidence: Confidence::Medium,
                ..finding
            }
        })
    }
}

/// What is wrong with the ticket's shape.
fn shape(shown: &Shown<'_>, scene: &Scene<'_>) -> Option<String> {
    let mint = &scene.knowledge.mint;
    let coins = mint.coins(shown.realm())?;
    if let Some(version) = shown.ticket.kvno
        && coins.is_odd_version(version)
    {
        return Some(format!("no controller uses version {version} of the key"));
    }
    // RC4 makes tickets shorter, and is a sign of its own.
    let length = shown.ticket.length;
    if length < HAS_PAC || is_rc4(shown.ticket.etype) {
        return None;
    }
    let own = shown.stranger.owner.as_ref();
    if let Some(own) = own.and_then(|owner| mint.shortest_of(owner))
        && length + LACKS_OWN <= own
    {
        return Some(format!(
            "the ticket has {length} bytes, and the account's own have {own} and more"
        ));
    }
    let all = coins.shortest().filter(|all| length + LACKS_ALL <= *all)?;
    Some(format!(
        "the ticket has {length} bytes, and nobody's was seen with less than {all}"
    ))
}
