//! LDAP without signatures: authenticated with Kerberos or NTLM, and nothing protects what follows.
//!
//! Whoever sits in between can change it, and can use the logon for himself: NTLM relay to LDAP is
//! the shortest way to a domain. Simple binds are told as passwords in the clear, TLS protects.

use goshawk_model::ldap::{Operation, Protection};
use goshawk_model::{Activity, Kind, Mechanism, Outcome, Severity};

use super::super::asker::Asker;
use super::{Exposure, Shown, Weakness};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;

pub(in crate::detections) const DESCRIPTION: Description = Description {
    external_id: 9034,
    name: "unsigned-ldap",
    title: "LDAP without signatures",
    severity: Severity::Low,
    techniques: &["T1557.001"],
    learning: None,
    meaning: "What the client asks can be read and changed on its way, and a controller that accepts it lets logons be relayed.",
    help: "Seen are operations on connections that authenticated by SASL and were neither signed, sealed nor inside TLS.",
    look_alikes: "There are none: the lack of a signature is plain.",
    remediation: &[
        "Set the client to sign LDAP, or let it use LDAPS.",
        "Once no client needs it, require signing at the controllers (LDAPServerIntegrity 2, 'ldap server require strong auth = yes') and channel binding.",
    ],
};

pub(in crate::detections) type UnsignedLdap = Exposure<Unsigned>;

#[derive(Clone, Debug, Default)]
pub(in crate::detections) struct Unsigned;

impl Weakness for Unsigned {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::LDAP;
    const TABLE: &'static str = "unsigned-ldap-told";
    const DOES: &'static str = "speaks LDAP without signatures to";

    fn shown(activity: &Activity, scene: &Scene<'_>) -> Option<Shown> {
        let Kind::Ldap(operation) = &activity.kind else {
            return None;
        };
        let asked = match &operation.operation {
            Operation::Search(search) => search.request.is_some(),
            Operation::Modify(_)
            | Operation::Add(_)
            | Operation::Delete(_)
            | Operation::ModifyDn(_)
            | Operation::Compare(_) => true,
            _ => false,
        };
        let by = activity.credentials.as_ref()?;
        let sasl = matches!(by.mechanism, Mechanism::Kerberos | Mechanism::Ntlm);
        if !asked
            || !sasl
            || !by.proven
            || operation.protection != Protection::None
            || activity.outcome != Outcome::Success
        {
            return None;
        }
        Some(Shown::by(&Asker::of(activity, scene), activity, scene))
    }
}
