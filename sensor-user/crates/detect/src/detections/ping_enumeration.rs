//! Account enumeration by LDAP pings.
//!
//! **The attack.** Before anybody has logged on, a client may ask a controller whether it serves a
//! user; whether the user exists is told in passing. It leaves no trace in a controller's log, and
//! tools try ten thousand names a second: ldapnomnom.
//!
//! **On the wire.** Searches of the directory's root for `Netlogon` with `(User=...)` in the filter
//! ([MS-ADTS] 6.3.3), over TCP or, as CLDAP, over UDP. The answer's opcode is 23 for a user that
//! exists and 25 for one that does not (19 and 21 in the older form).
//!
//! **Look-alikes.** Computers look for a controller so, naming their own account, and at times the
//! user who logs on, one or two names. Behind a gateway with NAT it is a name for each computer; so
//! computers that exist do not count.

use goshawk_model::{Activity, Kind, Severity};

use super::enumeration::{self, Enumerating, Tell, Way};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;

pub(super) const DESCRIPTION: Description = Description {
    external_id: 2437,
    name: "ping-enumeration",
    title: "Account names tried with LDAP pings (enumeration)",
    severity: Severity::Medium,
    techniques: &["T1087.002"],
    learning: None,
    meaning: "Somebody tries names to learn which accounts exist, in a way that needs no logon and \
        that controllers do not log. Guessing passwords or roasting usually follows.",
    help: "Seen is every name that a ping asks for and whether the controller knew it.",
    look_alikes: "Computers that look for a controller of their own; scanners of one's own, to be \
        excluded.",
    remediation: &[
        "Find out what runs on the source, and isolate it if nobody can explain the requests.",
        "Watch the accounts that were found: expect guessed passwords and roasting next.",
        "Check that these accounts have strong passwords and require pre-authentication.",
        "Let only machines of the domain reach the controllers' port 389, over TCP and UDP.",
    ],
};

/// The rule.
pub(super) type PingEnumeration = Enumerating<Pings>;

#[derive(Clone, Debug, Default)]
pub(super) struct Pings;

impl Way for Pings {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::LDAP;
    const TABLE: &'static str = "ping-enumeration-askers";
    const TOO_MANY: Option<usize> = Some(12);

    fn asked(activity: &Activity, _scene: &Scene<'_>, tell: Tell<'_>) {
        if let Kind::Ldap(operation) = &activity.kind {
            enumeration::ping(operation, tell);
        }
    }
}
