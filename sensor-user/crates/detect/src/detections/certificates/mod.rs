//! Logons with certificates (PKINIT, RFC 4556): what is wrong with a certificate, and what it shows.
//!
//! A certificate crosses the wire in clear, inside the signed part of `PA-PK-AS-REQ`. Nobody here
//! checks its signature: the controller does. What is looked at is whether it can be what it says:
//! who issued it, in whose name, for whom it is used, and whether it is made like its siblings.
//!
//! Each certificate is judged once: one that nobody vouches for is a key that was put at an account
//! (`shadow_credentials.rs`); one that names others than who logs on, or that is for anything, is
//! odd (`odd_certificate.rs`); one that its issuer would not have made so is forged
//! (`rogue_certificate.rs`).

pub(super) mod odd_certificate;
pub(super) mod rogue_certificate;
pub(super) mod shadow_credentials;

use std::collections::{BTreeMap, BTreeSet};

use goshawk_model::kerberos::{Answer, AsRequest, error_name};
use goshawk_model::{Account, Activity, Certificate, Confidence, Kind, Party, Severity, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::asker::{Asker, who};
use super::{Detection, evidence};
use crate::campaign::{Campaign, Campaigns, Event, Judgement, Story};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;
use crate::table::TableStats;
use crate::words::list;

/// Codes of refusals remembered per campaign.
const CODES: usize = 8;

/// A logon with a certificate.
pub(super) struct Logon<'a> {
    pub(super) account: &'a Account,
    pub(super) request: &'a AsRequest,
    pub(super) certificate: &'a Certificate,
    /// The code with which the controller refused; `None` where it issued a ticket.
    pub(super) refused: Option<i32>,
    pub(super) from: std::net::IpAddr,
    pub(super) at: Timestamp,
}

/// What one of the rules about certificates looks for.
pub(super) trait Oddness: Default + Serialize + DeserializeOwned {
    const DESCRIPTION: &'static Description;

    /// What is wrong with the certificate, and how sure that makes us; empty if nothing is.
    fn signs(&mut self, logon: &Logon<'_>, scene: &Scene<'_>) -> (BTreeSet<Sign>, Confidence);

    /// Its bounded tables.
    fn tables(&self, _into: &mut BTreeMap<&'static str, TableStats>) {}
}

/// Something that speaks against a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Sign {
    /// Issuer and subject are one.
    SelfSigned,
    /// Its subject is nothing but the account's name.
    BareSubject,
    /// It does not say what it is for.
    NoPurpose,
    /// It says that it is for anything, or for asking for others' certificates.
    AnyPurpose,
    /// It is valid for decades, or since long before it can have been made.
    OddValidity,
    /// The request is not made as Windows makes it.
    ToolRequest,
    /// None of its names is that of the account that logs on.
    OtherName,
    /// Its subject is an account that was at work on the same machine, its alternative name another.
    TwoOwners,
    /// Its issuer's other certificates name the owner's SID.
    NoSid,
    /// It lacks extensions that all of its issuer's other certificates have.
    FewExtensions,
    /// Its serial number is not as long as all others of its issuer.
    OddSerial,
    /// It lasts far longer than any other of its issuer.
    LongLife,
    /// Its issuer is an authority of the directory, which writes the template's name and where the
    /// revocation list is into each, and it has neither.
    NoTemplate,
}

impl Sign {
    /// What it is in words.
    const fn words(self) -> &'static str {
        match self {
            Self::SelfSigned => "nobody vouches for it but itself",
            Self::BareSubject => "its subject is nothing but the account's name",
            Self::NoPurpose => "it does not say what it is for",
            Self::AnyPurpose => "it is for any purpose, or for enrolling in others' names",
            Self::OddValidity => "it is valid for decades or since long before it was made",
            Self::ToolRequest => "the request is not made as Windows makes it",
            Self::OtherName => "none of its names is the account's",
            Self::TwoOwners => "its subject is another account, which worked on the same machine",
            Self::NoSid => "it lacks the owner's SID, which its issuer's others have",
            Self::FewExtensions => "it lacks extensions that its issuer's others have",
            Self::OddSerial => "its serial number is not made as its issuer makes them",
            Self::LongLife => "it lasts far longer than its issuer's others",
            Self::NoTemplate => "its issuer is an enterprise authority, and it names no template",
        }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    signs: BTreeSet<Sign>,
    confidence: Option<Confidence>,
    issued: u64,
    refusals: BTreeSet<i32>,
    subject: Box<str>,
    issuer: Box<str>,
}

/// The rule that all three share.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(bound = "", default)]
pub(super) struct Certificates<O: Oddness> {
    oddness: O,
}

impl<O: Oddness> Detection for Certificates<O> {
    type Key = Asker;
    type Facts = Facts;
    const DESCRIPTION: &'static Description = O::DESCRIPTION;
    const LISTENS: Kinds = Kinds::AS;

    fn observe(
        &mut self,
        activity: &Activity,
        scene: &Scene<'_>,
        campaigns: &mut Campaigns<Asker, Facts>,
    ) {
        let Some(logon) = logon(activity, scene) else {
            return;
        };
        let (signs, confidence) = self.oddness.signs(&logon, scene);
        if signs.is_empty() {
            return;
        }
        let key = Asker {
            ip: logon.from,
            account: Some(logon.account.clone()),
        };
        let accepted = logon.refused.is_none();
        let source = Party {
            account: key.account.clone().filter(|_| accepted),
            ..scene.machine(&activity.client)
        };
        let event = Event {
            at: scene.at,
            evidence: evidence(activity, detail(&logon)),
            target: Some(Party {
                account: Some(logon.account.clone()),
                ..Party::default()
            }),
        };
        let Some(facts) = campaigns.record::<Self>(scene, &key, &source, [event]) else {
            return;
        };
        facts.signs.extend(signs);
        facts.confidence = facts.confidence.max(Some(confidence));
        facts.subject = logon.certificate.subject.clone();
        facts.issuer = logon.certificate.issuer.clone();
        match logon.refused {
            None => facts.issued += 1,
            Some(code) if facts.refusals.len() < CODES => {
                facts.refusals.insert(code);
            }
            Some(_) => {}
        }
        if accepted {
            campaigns.acts_as(&key, logon.account);
        }
    }

    fn judge(campaign: &Campaign<Facts>, _scene: &Scene<'_>) -> Judgement {
        let facts = &campaign.facts;
        Judgement {
            severity: if facts.issued > 0 {
                Severity::High
            } else {
                Severity::Medium
            },
            confidence: facts.confidence.unwrap_or(Confidence::Low),
        }
    }

    fn tell(campaign: &Campaign<Facts>, scene: &Scene<'_>) -> Story {
        let facts = &campaign.facts;
        let names = campaign.targets.iter();
        let accounts = list(
            names.filter_map(|target| target.account.as_ref()),
            campaign.targets_total(),
        );
        let signs: Vec<&str> = facts.signs.iter().map(|sign| sign.words()).collect();
        let how = if facts.issued > 0 {
            "logged on"
        } else {
            "tried to log on"
        };
        let mut reason = format!(
            "The certificate of {:?}, issued by {:?}, is odd: {}.",
            facts.subject,
            facts.issuer,
            signs.join("; ")
        );
        if facts.issued > 0 {
            reason += " The controller took it: whoever holds its key acts as the account.";
        } else {
            let codes = facts.refusals.iter().map(|&code| error_name(code));
            let codes = list(codes, facts.refusals.len() as u64);
            reason += &format!(" The controller refused ({codes}); the attempt shows the intent.");
        }
        Story {
            summary: format!(
                "{} {how} as {accounts} with a certificate that is not in order.",
                who(&campaign.source, scene)
            ),
            reason,
        }
    }

    fn tables(&self, into: &mut BTreeMap<&'static str, TableStats>) {
        self.oddness.tables(into);
    }
}

/// The logon with a certificate that `activity` is; `None` if it is none or was not answered. A
/// retransmission is told like the first one: the campaign is the same.
fn logon<'a>(activity: &'a Activity, scene: &Scene<'_>) -> Option<Logon<'a>> {
    let Kind::As(exchange) = &activity.kind else {
        return None;
    };
    let request = exchange.request.as_ref()?;
    let certificate = request.data.pkinit.as_ref()?.certificate.as_ref()?;
    Some(Logon {
        account: exchange.client.as_ref()?,
        request,
        certificate,
        refused: match exchange.answer {
            Answer::Issued { .. } => None,
            Answer::Refused(code) => Some(code),
            Answer::Unseen => return None,
        },
        from: activity.client.ip,
        at: scene.at,
    })
}

fn detail(logon: &Logon<'_>) -> String {
    let Certificate {
        subject,
        issuer,
        serial,
        not_before,
        not_after,
        upns,
        ..
    } = logon.certificate;
    let answer = logon.refused.map_or("a ticket", error_name);
    let upns = list(upns, upns.len() as u64);
    format!(
        "{} with a certificate of {subject:?} (user principal name: {upns}) by {issuer:?}, serial \
         {serial}, valid from {not_before} to {not_after}: {answer}",
        logon.account
    )
}

impl Logon<'_> {
    /// Whether the request is made as Windows makes them: it offers RC4's old forms, and names the
    /// workstation ([MS-KILE] 3.1.5.2, RFC 4120 7.5.3).
    pub(super) fn is_windows(&self) -> bool {
        const RC4_HMAC_OLD_EXP: i32 = -135;
        self.request.etypes.contains(&RC4_HMAC_OLD_EXP)
            && !self.request.netbios_addresses.is_empty()
    }

    /// The common name of its subject, lower case.
    pub(super) fn common_name(&self) -> Option<String> {
        let parts = self.certificate.subject.split(',');
        let mut names = parts.filter_map(|part| part.trim().strip_prefix("CN="));
        names.next_back().map(str::to_lowercase)
    }

    /// Whether `name` is the account's: a user principal name, a DNS name of a computer, a bare
    /// name.
    pub(super) fn is_own(&self, name: &str) -> bool {
        let name = name.trim().to_lowercase();
        let own = self.account.name();
        let bare = name.split('@').next().unwrap_or_default();
        let host = name.split('.').next().unwrap_or_default();
        name == self.account.as_str()
            || bare == own
            || own
                .strip_suffix('$')
                .is_some_and(|own| host == own || bare == own)
    }
}
