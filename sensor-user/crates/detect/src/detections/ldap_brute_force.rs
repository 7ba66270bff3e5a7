//! Brute force and password spray over LDAP: guessing passwords with binds.
//!
//! **The attack.** A directory lets anybody bind with a name and a password, as fast as it answers:
//! hydra `ldap2`, netexec `ldap`, scripts around `ldapsearch`.
//!
//! **On the wire.** Bind requests, simple or by SASL or Sicily (RFC 4511 4.2, [MS-ADTS] 5.1.1.1),
//! answered by `invalidCredentials` with `data 52e`, or `data 525` for names that do not exist, and
//! `data 775` once the account is locked. Binds inside TLS cannot be seen.
//!
//! Servers that let their users log on by binding for them (mail, chat, a VPN) fail for all who
//! mistype; most of these are right the next time. What else looks like it, and how it is told
//! apart, stands in `guessing`.

use goshawk_model::{Activity, Kind, Severity};

use super::guessing::{self, Attempt, GUESSING, Guessing, LEARNING, SPRAYING, Way};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::knowledge::Tool;
use crate::scene::Scene;

pub(super) const DESCRIPTION: Description = Description {
    external_id: 2004,
    name: "ldap-brute-force",
    title: "Passwords guessed over LDAP (brute force, spray)",
    severity: Severity::Medium,
    techniques: &[GUESSING, SPRAYING],
    learning: Some(LEARNING),
    meaning: "Somebody tries passwords by binding to the directory, many for one account or one for \
        many accounts. One hit is enough to act as that account, and simple binds show it to \
        whoever listens as well.",
    help: "Seen is every bind in plain sight and how the directory answered. The passwords are not \
        kept, and binds inside TLS are not seen.",
    look_alikes: "Servers that bind on behalf of their users, some of whom mistype; applications \
        that keep an old password, which are told with low severity, and not at all while the \
        sensor learns.",
    remediation: &[
        "If an account was bound after the failures, reset its password and end its sessions: the \
         guess was right.",
        "Find out what runs on the source. A stored password that is stale is corrected there; \
         otherwise isolate the machine.",
        "Check the accounts tried for weak passwords, and set a lockout threshold and a list of \
         banned passwords.",
        "Require signing and channel binding on the directory, so that simple binds in the clear \
         are refused.",
    ],
};

/// The rule.
pub(super) type LdapBruteForce = Guessing<Binds>;

#[derive(Clone, Debug, Default)]
pub(super) struct Binds;

impl Way for Binds {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::LDAP;
    const TABLES: [&'static str; 3] = [
        "ldap-brute-force-sources",
        "ldap-brute-force-victims",
        "ldap-brute-force-loops",
    ];

    fn attempt<'a>(
        activity: &'a Activity,
        _scene: &Scene<'_>,
    ) -> Option<(Attempt<'a>, Option<Tool>)> {
        match &activity.kind {
            Kind::Ldap(operation) => Some((guessing::ldap(activity, operation)?, None)),
            _ => None,
        }
    }
}
