//! Passwords in the clear: LDAP's simple bind (RFC 4513 5.1.3) and HTTP's Basic (RFC 7617) without
//! TLS around them.
//!
//! Printers, scripts and old appliances do it; whoever can read along has the password. Binds that
//! are refused are not told: the password was wrong, and guessing is an attack of its own.

use goshawk_model::http::HttpScheme;
use goshawk_model::ldap::{Operation, Protection};
use goshawk_model::{Activity, Kind, Mechanism, Outcome, Severity};

use super::super::asker::Asker;
use super::{Exposure, Shown, Weakness};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;

pub(in crate::detections) const DESCRIPTION: Description = Description {
    external_id: 9030,
    name: "clear-passwords",
    title: "Password sent in clear text",
    severity: Severity::Low,
    techniques: &["T1040"],
    learning: None,
    meaning: "Whoever can read the traffic anywhere on its way has the account's password.",
    help: "Seen are simple LDAP binds and HTTP Basic that a server accepted outside TLS. The password itself is not kept.",
    look_alikes: "There are none: where a password was accepted in the clear, it could be read.",
    remediation: &[
        "Let the client use LDAPS, StartTLS or a signed and sealed SASL bind; for HTTP, use TLS.",
        "Change the account's password afterwards.",
        "Once no client needs it, refuse simple binds without TLS at the controllers.",
    ],
};

pub(in crate::detections) type ClearPasswords = Exposure<Clear>;

#[derive(Clone, Debug, Default)]
pub(in crate::detections) struct Clear;

impl Weakness for Clear {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::LDAP.and(Kinds::HTTP);
    const TABLE: &'static str = "clear-passwords-told";
    const DOES: &'static str = "sends its password in clear text to";

    fn shown(activity: &Activity, scene: &Scene<'_>) -> Option<Shown> {
        let credentials = activity.credentials.as_ref()?;
        if credentials.mechanism != Mechanism::Password || activity.outcome != Outcome::Success {
            return None;
        }
        let clear = match &activity.kind {
            Kind::Ldap(operation) => {
                matches!(operation.operation, Operation::Bind(_))
                    && operation.protection == Protection::None
            }
            Kind::Http(logon) => logon.scheme == Some(HttpScheme::Basic),
            _ => false,
        };
        clear.then_some(())?;
        Some(Shown::by(&Asker::of(activity, scene), activity, scene))
    }
}
