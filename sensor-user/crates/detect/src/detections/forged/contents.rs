//! What is wrong inside a ticket, where it was opened with a keytab.
//!
//! A ticket that was sealed with the true key has true signatures; what betrays it is what its forger
//! did not know of the domain, or did not want to keep. All is held against what controllers were seen
//! to issue, and nothing here looks at a ticket that was: so what one controller does and another does
//! not, accounts that were renamed, groups that were changed since, must come together with an issue
//! that was missed to be taken for more.

use std::collections::BTreeSet;
use std::time::Duration;

use goshawk_model::kerberos::{Opened, Pac, Signature, Verdict};
use goshawk_model::{Account, Confidence, Timestamp};

use super::{Scene, Shown};
use crate::detections::services::Service;
use crate::knowledge::{
    SKEW, Usual, buffers, has_all_signatures, is_powerful, life, powers, sid_of,
};

/// Buffers that all tickets of a kind have, or none.
const PARTS: [(u32, &str); 5] = [
    (Pac::UPN_DNS_INFO, "the user principal name (UPN_DNS_INFO)"),
    (
        Pac::ATTRIBUTES_INFO,
        "how it was asked for (PAC_ATTRIBUTES_INFO)",
    ),
    (Pac::REQUESTOR, "who asked for it (PAC_REQUESTOR)"),
    (Pac::TICKET_SIGNATURE, "the KDC's signature over the ticket"),
    (Pac::EXTENDED_SIGNATURE, "the KDC's signature over the PAC"),
];
/// Buffers that only tickets of services have ([MS-PAC] 2.8.2, 2.8.3).
const OF_SERVICES: u64 = 1 << Pac::TICKET_SIGNATURE | 1 << Pac::EXTENDED_SIGNATURE;
/// No domain lets tickets live so long.
const NEVER: Duration = Duration::from_secs(30 * 24 * 3600);

/// The ticket-granting ticket is good for longer than those are.
pub(super) fn overlong(shown: &Shown<'_>, scene: &Scene<'_>) -> Option<(String, Confidence)> {
    too_long(shown.opened()?, shown.realm(), scene)
}

/// The number in the ticket is somebody else's, and nobody was seen by the ticket's name.
pub(super) fn nobody(shown: &Shown<'_>, scene: &Scene<'_>) -> Option<String> {
    let logon = shown.opened()?.pac.as_ref()?.logon.as_ref()?;
    let rights = &scene.knowledge.rights;
    let named = Account::new(&logon.user, shown.realm());
    let bearer = rights.bearer(&sid_of(logon)?)?;
    (*bearer != named && rights.given(&named).is_none()).then(|| {
        format!(
            "the ticket names {named} with the number {}, which is that of {bearer}",
            logon.user_id
        )
    })
}

/// The ticket gives what no controller gave.
pub(super) fn forged(shown: &Shown<'_>, scene: &Scene<'_>) -> Option<String> {
    let pac = shown.opened()?.pac.as_ref()?;
    let mut signs = Vec::new();
    for (whose, signature) in [("server", pac.server_signature), ("KDC", pac.kdc_signature)] {
        signs.extend(signature.and_then(|signature| unsigned(whose, signature)));
    }
    if let Some(logon) = &pac.logon {
        let domain = logon.domain_sid.as_deref().unwrap_or_default();
        if let Some(usual) = shown.usual(scene)
            && !usual.domain_sid.is_empty()
            && *usual.domain_sid != *domain
        {
            let own = &usual.domain_sid;
            signs.push(format!(
                "its domain is {domain}, and that of the controllers {own}"
            ));
        }
        let sid = sid_of(logon);
        let named = Account::new(&logon.user, shown.realm());
        if let Some(given) = scene.knowledge.rights.given(&named) {
            if let Some(sid) = sid.as_deref().filter(|sid| *given.sid != **sid) {
                let own = &given.sid;
                signs.push(format!(
                    "it gives {named} the SID {sid}, and controllers gave {own}"
                ));
            }
            let powers = powers(logon);
            let more = groups(&powers, &given.powers);
            if !more.is_empty() {
                signs.push(format!(
                    "it makes {named} a member of {}, which no controller did when it logged on",
                    more.join(", ")
                ));
            }
        }
        let own: Vec<Box<str>> = logon
            .extra_sids
            .iter()
            .filter(|sid| is_powerful(sid))
            .filter(|sid| {
                sid.strip_prefix(domain)
                    .is_some_and(|rest| rest.starts_with('-'))
            })
            .cloned()
            .collect();
        if !own.is_empty() {
            signs.push(format!(
                "{} of its own domain stands among the SIDs of other ones",
                groups(&own, &[]).join(", ")
            ));
        }
        let asked = pac.requestor.as_deref().zip(sid.as_deref());
        if let Some((requestor, sid)) = asked.filter(|(requestor, sid)| requestor != sid) {
            signs.push(format!("{requestor} asked for it, and it is of {sid}"));
        }
    }
    (!signs.is_empty()).then(|| format!("inside the ticket, {}", signs.join("; ")))
}

/// The ticket-granting ticket lacks what those of the controllers have, or names things otherwise.
pub(super) fn odd(shown: &Shown<'_>, scene: &Scene<'_>) -> Option<String> {
    unlike(shown.opened()?, shown.usual(scene)?)
}

/// The PAC was made for a ticket of a service.
pub(super) fn of_a_service(shown: &Shown<'_>, scene: &Scene<'_>) -> Option<String> {
    let pac = shown.opened()?.pac.as_ref()?;
    let usual = shown.usual(scene)?;
    (buffers(pac) & OF_SERVICES & !usual.ever != 0).then(|| {
        "the PAC in the ticket-granting ticket has signatures that only tickets of services have"
            .to_owned()
    })
}

/// What is wrong with a service's ticket that nobody was seen to issue.
pub(super) struct Silver {
    pub(super) sign: String,
    pub(super) confidence: Confidence,
    pub(super) doubt: Option<String>,
}

/// The ticket of a service was not made by a KDC.
pub(super) fn silver(opened: &Opened, service: Service<'_>, scene: &Scene<'_>) -> Option<Silver> {
    let found = |sign: String, confidence| Silver {
        sign,
        confidence,
        doubt: None,
    };
    if let Some(not_signed) = not_signed(opened, service.realm(), scene) {
        return Some(not_signed);
    }
    if let Some((sign, confidence)) = too_long(opened, service.realm(), scene) {
        return Some(found(sign, confidence));
    }
    let content = scene.knowledge.contents.of(service.realm())?;
    let usual = content
        .services
        .as_ref()
        .filter(|_| has_all_signatures(service))?;
    unlike(opened, usual).map(|sign| found(sign, Confidence::Medium))
}

/// The KDC has not signed it; and why that may be wrong.
fn not_signed(opened: &Opened, realm: &str, scene: &Scene<'_>) -> Option<Silver> {
    let pac = opened.pac.as_ref()?;
    let content = scene.knowledge.contents.of(realm);
    if content.is_some_and(|content| content.outdated) {
        return None;
    }
    let signatures = [
        ("KDC", pac.kdc_signature),
        ("KDC over the ticket", pac.ticket_signature),
        ("KDC over the PAC", pac.extended_signature),
    ];
    let signs: Vec<String> = signatures
        .into_iter()
        .filter_map(|(whose, signature)| unsigned(whose, signature?))
        .collect();
    if signs.is_empty() {
        return None;
    }
    let is_proven = content.is_some_and(|content| content.signed);
    let doubt =
        "no issued ticket has shown yet that the keytab has the key that controllers sign with";
    Some(Silver {
        sign: format!("inside the ticket, {}", signs.join("; ")),
        confidence: if is_proven {
            Confidence::High
        } else {
            Confidence::Medium
        },
        doubt: (!is_proven).then(|| doubt.to_owned()),
    })
}

/// The ticket is good for longer than the realm's tickets are, as far as was seen.
fn too_long(opened: &Opened, realm: &str, scene: &Scene<'_>) -> Option<(String, Confidence)> {
    let content = scene.knowledge.contents.of(realm);
    let issued = content.map_or(Duration::ZERO, |content| content.longest);
    let longest = issued.max(scene.knowledge.policy.lifetime(&scene.settings.policy));
    let life = life(opened);
    if life <= longest + SKEW {
        return None;
    }
    let hours = |span: Duration| span.as_secs() / 3600;
    let sign = format!(
        "the ticket is good for {} hours, and tickets live {} hours",
        hours(life),
        hours(longest)
    );
    let confidence = if life > NEVER {
        Confidence::High
    } else {
        Confidence::Medium
    };
    Some((sign, confidence))
}

/// The ticket lacks what all have that controllers issue, or names things otherwise.
fn unlike(opened: &Opened, usual: &Usual) -> Option<String> {
    let pac = opened.pac.as_ref()?;
    let has = buffers(pac);
    let mut signs: Vec<String> = PARTS
        .into_iter()
        .filter(|(kind, _)| usual.always & !has & 1 << kind != 0)
        .map(|(_, what)| format!("{what} is missing"))
        .collect();
    if let Some(logon) = &pac.logon {
        if !usual.domain.is_empty() && !usual.domain.eq_ignore_ascii_case(&logon.domain) {
            let (domain, own) = (&logon.domain, &usual.domain);
            signs.push(format!(
                "the domain is called {domain}, and controllers call it {own}"
            ));
        }
        if usual.names_server && logon.server.is_empty() {
            signs.push("no controller is named at which the logon was".to_owned());
        }
    }
    if let Some(logon) = pac
        .client_id
        .filter(|&time| !is_same(time, opened.authtime))
    {
        let authtime = opened.authtime;
        signs.push(format!(
            "the PAC is of a logon at {logon}, and the ticket of one at {authtime}"
        ));
    }
    (!signs.is_empty()).then(|| {
        format!(
            "inside the ticket, unlike in all that controllers issue, {}",
            signs.join("; ")
        )
    })
}

fn unsigned(whose: &str, signature: Signature) -> Option<String> {
    match signature.verdict {
        Verdict::Wrong => Some(format!("the signature of the {whose} is wrong")),
        Verdict::Unkeyed => Some(format!(
            "the signature of the {whose} is a checksum that anybody can make (type {})",
            signature.kind
        )),
        Verdict::Valid | Verdict::Unchecked => None,
    }
}

/// Names of the groups that are in `these` and not in `known`.
fn groups<'a>(these: &'a [Box<str>], known: &[Box<str>]) -> Vec<&'a str> {
    let more = these.iter().filter(|sid| !known.contains(sid));
    let names: BTreeSet<&str> = more.map(|sid| group(sid)).collect();
    names.into_iter().collect()
}

/// The name of a group that gives power ([MS-DTYP] 2.4.2.4).
fn group(sid: &str) -> &str {
    let (_, number) = sid.rsplit_once('-').unwrap_or_default();
    match number {
        "498" => "Enterprise Read-only Domain Controllers",
        "512" => "Domain Admins",
        "516" => "Domain Controllers",
        "518" => "Schema Admins",
        "519" => "Enterprise Admins",
        "520" => "Group Policy Creator Owners",
        "521" => "Read-only Domain Controllers",
        "526" => "Key Admins",
        "527" => "Enterprise Key Admins",
        _ => sid,
    }
}

/// Whether two moments are the same by the second, which is all that a ticket tells.
fn is_same(one: Timestamp, other: Timestamp) -> bool {
    one.since(other).max(other.since(one)) <= Duration::from_secs(1)
}

impl<'a> Shown<'a> {
    fn opened(&self) -> Option<&'a Opened> {
        self.ticket.opened.as_deref()
    }

    /// What the PACs of the realm's controllers have in common. A read-only controller is another one
    /// than those that were seen, maybe, and older.
    fn usual(&self, scene: &Scene<'a>) -> Option<&'a Usual> {
        const VERSION_BITS: u32 = 16;
        let by_read_only = self
            .ticket
            .kvno
            .is_some_and(|kvno| kvno >> VERSION_BITS != 0);
        let content = scene.knowledge.contents.of(self.realm())?;
        content.granting.as_ref().filter(|_| !by_read_only)
    }
}
