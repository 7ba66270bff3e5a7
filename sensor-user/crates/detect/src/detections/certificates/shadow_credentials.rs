//! Shadow credentials in use: a logon with a key that somebody wrote to an account.
//!
//! **The attack.** Who may write an account's `msDS-KeyCredentialLink` ([MS-ADA2] 2.347) adds a key
//! of his own and logs on with it by PKINIT, without knowing or changing the password: Whisker,
//! pywhisker, certipy `shadow`, ntlmrelayx, then Rubeus or PKINITtools.
//!
//! **On the wire.** The write is often sealed. The use is not: the certificate is signed with its
//! own key, since controllers ignore the chain where they know the key ([MS-PKCA] 3.1.5.2.1.4). The
//! tools write nothing but the account's name into its subject, leave out what it is for, and make
//! it valid for decades, from the last century on.
//!
//! **Look-alikes.** Windows Hello for Business logs on with self-signed certificates as well; their
//! subject is the owner's SID and tenant, and Windows itself makes the request: silent. So is a
//! computer that Windows logs on with its own device key. Self-made certificates that a controller
//! does not trust, as somebody makes them who tries smart cards out, are told with low confidence.

use std::collections::BTreeSet;
use std::time::Duration;

use goshawk_model::{Confidence, Severity};
use serde::{Deserialize, Serialize};

use super::{Certificates, Logon, Oddness, Sign};
use crate::description::Description;
use crate::scene::Scene;

pub(in crate::detections) const DESCRIPTION: Description = Description {
    external_id: 2431,
    name: "shadow-credentials",
    title: "Logon with a key written to the account (shadow credentials)",
    severity: Severity::High,
    techniques: &["T1556", "T1003"],
    learning: None,
    meaning: "Somebody logged on with a key of his own that was put at the account. He acts as the \
        account, gets its password's hash along with the ticket, and keeps access when the \
        password changes.",
    help: "Seen is the certificate of the logon: signed by itself, made as tools make it. The \
        change of the account before it is seen only where LDAP is not sealed.",
    look_alikes: "Windows Hello for Business, whose certificates name the owner's SID, and device \
        keys of computers; both are told apart. Somebody who tries out self-made smart cards.",
    remediation: &[
        "Look at msDS-KeyCredentialLink of the account, and remove the keys that nobody enrolled.",
        "Find out who may write that attribute, and who did (event 5136).",
        "Isolate the source, reset the account's password, and end its sessions.",
    ],
};

pub(in crate::detections) type ShadowCredentials = Certificates<SelfMade>;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::detections) struct SelfMade {}

/// Nobody but tools lets a logon's certificate last so long. Windows Hello's do, and are known by
/// their subject.
const DECADES: Duration = Duration::from_secs(15 * 365 * 24 * 3600);
/// A key is written to an account shortly before it is used.
const LONG_BEFORE: Duration = Duration::from_secs(5 * 365 * 24 * 3600);

impl Oddness for SelfMade {
    const DESCRIPTION: &'static Description = &DESCRIPTION;

    fn signs(&mut self, logon: &Logon<'_>, _scene: &Scene<'_>) -> (BTreeSet<Sign>, Confidence) {
        let certificate = logon.certificate;
        if !certificate.self_signed || is_hello(logon) {
            return (BTreeSet::new(), Confidence::Low);
        }
        let mut signs = BTreeSet::new();
        if logon.common_name().is_some_and(|name| logon.is_own(&name))
            && !certificate.subject.contains(',')
        {
            signs.insert(Sign::BareSubject);
        }
        if certificate.eku.is_empty() {
            signs.insert(Sign::NoPurpose);
        }
        if certificate.not_before + DECADES < certificate.not_after
            || certificate.not_before + LONG_BEFORE < logon.at
        {
            signs.insert(Sign::OddValidity);
        }
        if !logon.is_windows() {
            signs.insert(Sign::ToolRequest);
        }
        let confidence = match (logon.refused, signs.len()) {
            (None, 2..) | (Some(_), 4..) => Confidence::High,
            (None, _) | (Some(_), 3) => Confidence::Medium,
            (Some(_), _) => Confidence::Low,
        };
        signs.insert(Sign::SelfSigned);
        (signs, confidence)
    }
}

/// Whether it is a key that Windows made: of Windows Hello, whose subject is
/// `CN=S-1-5-21-…/…/login.windows.net/…`, or of a computer that Windows itself logs on.
fn is_hello(logon: &Logon<'_>) -> bool {
    let owner = logon
        .common_name()
        .is_some_and(|name| name.starts_with("s-1-") && name.contains('/'));
    owner || (logon.is_windows() && logon.account.is_machine())
}
