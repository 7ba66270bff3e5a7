//! Authorization data that the KDC does not believe, or that is smuggled in.
//!
//! A ticket sealed with a wrong or old key of `krbtgt` does not open: `KRB_AP_ERR_BAD_INTEGRITY` or
//! `KRB_AP_ERR_MODIFIED` (RFC 4120 3.1.5). One that opens and names somebody whom its PAC is not of is
//! refused with `KDC_ERR_TGT_REVOKED` by controllers patched for CVE-2021-42287 ([MS-KILE] 3.3.5.7).
//!
//! MS14-068 (PyKEK, goldenPac) needs no key: it asks for a ticket without a PAC and brings a PAC of
//! its own with the next request, as `enc-authorization-data`; an unpatched KDC copies it. No client
//! does both.
//!
//! Opened with a keytab, a ticket shows the rights in it: groups that no controller gave the account,
//! another account's number, another domain's, a SID that is no history, signatures that are wrong or
//! need no key ([`contents::forged`]).
//!
//! A look-alike is a ticket from before `krbtgt` was reset twice, or of an account that was deleted
//! since: rare, and a ticket that was seen being issued does not count.

use goshawk_model::{Activity, Confidence, Kind, Party, Severity};

use super::super::services::Service;
use super::{Description, Finding, Forged, GOLDEN, Kinds, Scene, Shown, Sign, contents};

/// `KDC_ERR_TGT_REVOKED`.
const TGT_REVOKED: i32 = 20;
/// `KRB_AP_ERR_BAD_INTEGRITY`, `KRB_AP_ERR_MODIFIED`.
const DOES_NOT_OPEN: [i32; 2] = [31, 41];

pub(in super::super) const DESCRIPTION: Description = Description {
    external_id: 2013,
    name: "forged-authorization",
    title: "Forged authorization data (golden ticket, MS14-068)",
    severity: Severity::High,
    techniques: &[GOLDEN],
    learning: None,
    meaning: "Somebody tried to get rights by authorization data of his own making. If it was accepted, \
        he has whatever rights he wrote into it.",
    help: "Seen is that the controller refused the ticket for what is in it or for its seal, or that \
        authorization data were brought along with a ticket that has none. The data are sealed; with a \
        keytab they are read and held against what controllers gave.",
    look_alikes: "A ticket kept since before krbtgt was reset twice, or of an account deleted since.",
    remediation: super::REMEDIATION,
};

pub(in super::super) type ForgedAuthorization = Forged<Refused>;

#[derive(Default)]
pub(in super::super) struct Refused;

impl Sign for Refused {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::TGS;
    const DOES: &'static str = "used a ticket with forged authorization data";

    fn seen(activity: &Activity, scene: &Scene<'_>) -> Option<Finding> {
        if let Some(smuggled) = smuggled(activity, scene) {
            return Some(smuggled);
        }
        let shown = Shown::new(activity, scene)?;
        if let Some(sign) = contents::forged(&shown, scene) {
            return Some(shown.finding(sign, Confidence::High, activity, scene));
        }
        let (code, name) = shown.error()?;
        let refused =
            DOES_NOT_OPEN.contains(&code) || code == TGT_REVOKED && !shown.concerns_others();
        refused.then(|| {
            let sign =
                format!("the controller answered {name} to a ticket that it was not seen to issue");
            shown.finding(sign, Confidence::Medium, activity, scene)
        })
    }
}

/// MS14-068: authorization data with a ticket that was asked for without any.
fn smuggled(activity: &Activity, scene: &Scene<'_>) -> Option<Finding> {
    let Kind::Tgs(exchange) = &activity.kind else {
        return None;
    };
    let request = exchange.request.as_ref()?;
    if !request.enc_authorization_data {
        return None;
    }
    let fact = scene.knowledge.tickets.get(request.presented.as_ref()?)?;
    fact.without_pac.then(|| Finding {
        confidence: Confidence::High,
        account: fact.owner.clone(),
        sign: "a ticket was asked for without a PAC, and authorization data were brought along with it"
            .to_owned(),
        doubt: None,
        target: Party {
            account: exchange
                .service
                .as_deref()
                .map(|service| Service::new(service).account()),
            ..scene.machine(&activity.server)
        },
    })
}
