//! A rogue certificate: made with an authority's stolen key, and not by the authority.
//!
//! **The attack.** With the private key of a certificate authority that controllers trust, anybody's
//! certificate can be made, for years ahead ("golden certificate"): certipy `forge`, ForgeCert, or
//! openssl. It is in no list of what was issued, and cannot be revoked by its number.
//!
//! **On the wire.** The signature is right, so the controller takes it. But an authority makes all
//! of its certificates one way: the same extensions (template, where the revocation list is, the
//! owner's SID), serial numbers of one form, one length of life. The forged one lacks some of that.
//! Two such differences from at least [`KNOWN`] siblings make a finding. Without siblings, it is
//! one where the issuer is named as Windows names an enterprise authority, which writes template
//! and revocation list into every certificate, and this one has neither.
//!
//! **Look-alikes.** Several templates of one authority differ in life and purposes: what all have
//! in common counts, and one difference is none. An authority that was never seen is no finding: it
//! may be a new one. Whether a serial number was issued only the authority's own list can tell.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use goshawk_model::{Account, Certificate, Confidence, Severity};
use serde::{Deserialize, Serialize};

use super::{Certificates, Logon, Oddness, Sign};
use crate::description::Description;
use crate::scene::Scene;
use crate::table::{Table, TableStats};

pub(in crate::detections) const DESCRIPTION: Description = Description {
    external_id: 2047,
    name: "rogue-certificate",
    title: "Certificate made with an authority's stolen key",
    severity: Severity::High,
    techniques: &["T1649"],
    learning: None,
    meaning: "A certificate bears the name of an authority and is not made as that authority makes \
        them. Who holds the authority's key can log on as anybody, for as long as it is trusted.",
    help: "Seen are the certificates of logons; what all of an authority's have in common is \
        learned from those that controllers accepted. Whether one was issued is known only to the \
        authority.",
    look_alikes: "A template that differs from all others of its authority in several ways, used \
        for the first time.",
    remediation: &[
        "Look the serial number up in the authority's list of issued certificates.",
        "If it is not there, the authority's key is stolen: take the authority out of NTAuth, and \
         replace its key.",
        "Isolate the source, and reset the password of the account.",
    ],
};

pub(in crate::detections) type RogueCertificate = Certificates<Forged>;

/// Authorities remembered.
const AUTHORITIES: usize = 256;
/// Accounts counted per authority.
const OWNERS: usize = 8;
/// Accounts whose certificates must be known before they show how the authority makes them.
const KNOWN: usize = 3;
/// Differences from all siblings that are no accident.
const DIFFERENCES: usize = 2;
/// Extensions that make a difference when they lack.
const FEW: usize = 2;

/// `szOID_ENROLL_CERTTYPE_EXTENSION` and `szOID_CERTIFICATE_TEMPLATE` ([MS-WCCE] 2.2.2.7.7.1,
/// 2.2.2.7.7.2), `cRLDistributionPoints` and `authorityInfoAccess` (RFC 5280 4.2.1.13, 4.2.2.1).
const ENTERPRISE: [&str; 4] = [
    "1.3.6.1.4.1.311.20.2",
    "1.3.6.1.4.1.311.21.7",
    "2.5.29.31",
    "1.3.6.1.5.5.7.1.1",
];

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::detections) struct Forged {
    authorities: Table<Box<str>, Habits, AUTHORITIES>,
}

/// What all certificates of an authority have in common.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Habits {
    owners: BTreeSet<Account>,
    extensions: BTreeSet<Box<str>>,
    sid: bool,
    serials: BTreeSet<usize>,
    longest: Duration,
}

impl Oddness for Forged {
    const DESCRIPTION: &'static Description = &DESCRIPTION;

    fn signs(&mut self, logon: &Logon<'_>, scene: &Scene<'_>) -> (BTreeSet<Sign>, Confidence) {
        let certificate = logon.certificate;
        let mut signs = BTreeSet::new();
        if certificate.self_signed {
            return (signs, Confidence::Low);
        }
        let known = self.authorities.get(&certificate.issuer);
        let known = known.filter(|habits| habits.owners.len() >= KNOWN);
        let mut confidence = Confidence::Medium;
        if let Some(habits) = known {
            signs = habits.differences(certificate);
            if signs.len() < DIFFERENCES {
                signs.clear();
            } else if signs.len() > DIFFERENCES {
                confidence = Confidence::High;
            }
        } else if is_enterprise(&certificate.issuer) {
            let mut written = certificate.extensions.iter().map(|oid| &**oid);
            if !written.any(|oid| ENTERPRISE.contains(&oid)) {
                signs.insert(Sign::NoTemplate);
            }
        }
        if signs.is_empty() && logon.refused.is_none() {
            self.authorities
                .touch(certificate.issuer.clone(), scene.now, || {
                    Habits::of(certificate)
                })
                .learn(certificate, logon.account);
        }
        if !signs.is_empty() && !logon.is_windows() {
            signs.insert(Sign::ToolRequest);
        }
        (signs, confidence)
    }

    fn tables(&self, into: &mut BTreeMap<&'static str, TableStats>) {
        into.insert("certificate-authorities", self.authorities.stats());
    }
}

impl Habits {
    fn of(certificate: &Certificate) -> Self {
        Self {
            owners: BTreeSet::new(),
            extensions: certificate.extensions.iter().cloned().collect(),
            sid: certificate.sid.is_some(),
            serials: BTreeSet::new(),
            longest: life(certificate),
        }
    }

    fn learn(&mut self, certificate: &Certificate, owner: &Account) {
        if self.owners.len() < OWNERS {
            self.owners.insert(owner.clone());
        }
        self.extensions
            .retain(|oid| certificate.extensions.contains(oid));
        self.sid &= certificate.sid.is_some();
        self.serials.insert(certificate.serial.len());
        self.longest = self.longest.max(life(certificate));
    }

    fn differences(&self, certificate: &Certificate) -> BTreeSet<Sign> {
        let mut signs = BTreeSet::new();
        let usual = self.extensions.iter();
        let lacking = usual.filter(|&oid| !certificate.extensions.contains(oid));
        if lacking.count() >= FEW {
            signs.insert(Sign::FewExtensions);
        }
        if self.sid && certificate.sid.is_none() {
            signs.insert(Sign::NoSid);
        }
        // Numbers that are random lose a leading zero now and then.
        let length = certificate.serial.len();
        if !self.serials.iter().any(|known| known.abs_diff(length) <= 2) {
            signs.insert(Sign::OddSerial);
        }
        if life(certificate) > self.longest * 2 {
            signs.insert(Sign::LongLife);
        }
        signs
    }
}

fn life(certificate: &Certificate) -> Duration {
    certificate.not_after.since(certificate.not_before)
}

/// Whether an issuer's name is that of an enterprise authority as Windows proposes it:
/// `CN=corp-DC1-CA, DC=corp, DC=example`.
fn is_enterprise(issuer: &str) -> bool {
    let mut parts = issuer.split(',').map(str::trim);
    let named = parts
        .clone()
        .any(|part| part.starts_with("CN=") && part.ends_with("-CA"));
    named && parts.any(|part| part.starts_with("DC="))
}
