//! A certificate that does not fit whom it is used for.
//!
//! **The attack.** A template lets those who enrol choose in whose name (ESC1), an authority takes
//! any name from a request (ESC6), a certificate for any purpose or for enrolling others is used
//! for a logon (ESC2, ESC3), a mapping is bent (ESC9, ESC10, ESC14): certipy, Certify, then a logon
//! as somebody else.
//!
//! **On the wire.** The certificate's subject is who enrolled and its alternative name is the
//! victim; or no name in it is the account's; or its extended key usage is missing, or is any
//! purpose. Where the controller maps strictly it answers `KDC_ERR_CERTIFICATE_MISMATCH` or
//! `KDC_ERR_CLIENT_NAME_MISMATCH` ([MS-PKCA] 3.1.5.2.1): an attempt.
//!
//! **Look-alikes.** A subject that is a display name is usual, so it counts only where it is an
//! account that worked on the same machine. A user principal name need not be the account's name:
//! Windows then asks by it as an enterprise name and the controller tells the account, which is not
//! compared. Accounts mapped to a certificate by hand (`altSecurityIdentities`) look like an attack
//! where they are used from other systems: exclude them.

use std::collections::BTreeSet;
use std::time::Duration;

use goshawk_model::{Confidence, Severity};
use serde::{Deserialize, Serialize};

use super::{Certificates, Logon, Oddness, Sign};
use crate::description::Description;
use crate::scene::Scene;

pub(in crate::detections) const DESCRIPTION: Description = Description {
    external_id: 2425,
    name: "odd-certificate",
    title: "Certificate used for somebody whom it does not fit",
    severity: Severity::High,
    techniques: &["T1550", "T1649"],
    learning: None,
    meaning: "A certificate was used to log on as an account that it was not made for. Certificate \
        templates that let people choose names give everybody any account.",
    help: "Seen is the certificate: its names, its purposes, and who else worked on the machine. \
        How it was enrolled is seen only at the authority.",
    look_alikes: "Accounts mapped to certificates by hand (altSecurityIdentities), used from other \
        systems than Windows.",
    remediation: &[
        "Ask the account's owner whether they logged on with a certificate.",
        "Find the certificate at the authority by its serial number: who enrolled it, with which \
         template; revoke it.",
        "Take 'supply in the request', 'any purpose' and enrolment rights for everybody away from \
         the template, and let controllers map certificates strictly.",
        "Isolate the source, and reset the account's password.",
    ],
};

pub(in crate::detections) type OddCertificate = Certificates<Misused>;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::detections) struct Misused {}

/// A name that the controller may translate (RFC 6806 5).
const NT_ENTERPRISE: i32 = 10;
/// `anyExtendedKeyUsage` (RFC 5280 4.2.1.12), and the enrolment agent's.
const ANY_PURPOSE: [&str; 2] = ["2.5.29.37.0", "1.3.6.1.4.1.311.20.2.1"];
/// Who worked on a machine within this time may have enrolled what is used there.
const WORKED: Duration = Duration::from_secs(24 * 3600);

impl Oddness for Misused {
    const DESCRIPTION: &'static Description = &DESCRIPTION;

    fn signs(&mut self, logon: &Logon<'_>, scene: &Scene<'_>) -> (BTreeSet<Sign>, Confidence) {
        let certificate = logon.certificate;
        let mut signs = BTreeSet::new();
        if certificate.self_signed {
            return (signs, Confidence::Low);
        }
        let mut confidence = Confidence::Medium;
        let subject = logon.common_name();
        let mut names = certificate.upns.iter().chain(&certificate.dns_names);
        let named = names.clone().next().is_some();
        let fits = names.any(|name| logon.is_own(name))
            || subject.as_deref().is_some_and(|name| logon.is_own(name));
        if named && !fits && logon.request.name_type != NT_ENTERPRISE {
            signs.insert(Sign::OtherName);
        }
        let other = |name: &str| {
            let mut logons = scene.knowledge.hosts.logons(logon.from, scene.now - WORKED);
            !logon.is_own(name) && logons.any(|account| account.name() == name)
        };
        if subject.as_deref().is_some_and(other) {
            signs.insert(Sign::TwoOwners);
            confidence = Confidence::High;
        }
        let mut purposes = certificate.eku.iter().map(|purpose| &**purpose);
        if purposes.any(|purpose| ANY_PURPOSE.contains(&purpose)) {
            signs.insert(Sign::AnyPurpose);
        }
        if certificate.eku.is_empty() && !logon.is_windows() {
            signs.insert(Sign::NoPurpose);
        }
        if !signs.is_empty() && !logon.is_windows() {
            signs.insert(Sign::ToolRequest);
        }
        (signs, confidence)
    }
}
