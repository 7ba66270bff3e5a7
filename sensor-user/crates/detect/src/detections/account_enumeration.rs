//! Account enumeration: trying names to learn which exist.
//!
//! **The attack.** A controller answers differently for names that exist and names that do not. A
//! list of likely names yields the accounts to spray or roast: kerbrute `userenum`, nmap
//! `krb5-enum-users`, impacket, Rubeus `preauthscan`, all without any logon; `lookupsid`, rpcclient
//! and enum4linux, which count SIDs through ("RID cycling"); NETLOGON asked for a controller that
//! knows an account.
//!
//! **On the wire.** AS-REQs without proof: `KDC_ERR_C_PRINCIPAL_UNKNOWN` says that a name does not
//! exist; `KDC_ERR_PREAUTH_REQUIRED`, `KDC_ERR_CLIENT_REVOKED` or a ticket that it does (RFC 4120
//! 3.1.3, 7.5.9). Over NTLM `STATUS_NO_SUCH_USER` instead of `STATUS_WRONG_PASSWORD`, where a server
//! tells. Lookups over SAMR, LSARPC and NETLOGON that map nothing ([MS-SAMR] 3.1.5.11, [MS-LSAT]
//! 3.1.4, [MS-NRPC] 3.5.4.3), where they are not sealed.
//!
//! A name of another realm (`KDC_ERR_WRONG_REALM`) is not unknown. What else looks like it, and how
//! it is told apart, stands in `enumeration`.

use goshawk_model::{Activity, Kind, Severity};

use super::enumeration::{self, Enumerating, Tell, Way};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::scene::Scene;

pub(super) const DESCRIPTION: Description = Description {
    external_id: 2003,
    name: "account-enumeration",
    title: "Account names tried (enumeration)",
    severity: Severity::Medium,
    techniques: &["T1087.002"],
    learning: None,
    meaning: "Somebody tries names to learn which accounts exist. It takes no password, and \
        guessing passwords or roasting usually follows.",
    help: "Seen is every name that is asked for over Kerberos and whether the controller knew it, \
        NTLM where the server tells, and lookups over SAMR, LSARPC and NETLOGON unless they are \
        sealed or SMB is encrypted. A name counts as found if it exists and its owner did not log \
        on from there.",
    look_alikes: "People who mistype their names; scanners of one's own, to be excluded.",
    remediation: &[
        "Find out what runs on the source, and isolate it if nobody can explain the requests.",
        "Watch the accounts that were found: expect guessed passwords and roasting next.",
        "Check that these accounts have strong passwords and require pre-authentication.",
        "Let only machines of the domain reach the controllers' ports 88, 389 and 445.",
    ],
};

/// The rule.
pub(super) type AccountEnumeration = Enumerating<Requests>;

#[derive(Clone, Debug, Default)]
pub(super) struct Requests;

impl Way for Requests {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::AS.and(Kinds::NTLM).and(Kinds::RPC);
    const TABLE: &'static str = "account-enumeration-askers";
    const TOO_MANY: Option<usize> = None;

    fn asked(activity: &Activity, scene: &Scene<'_>, tell: Tell<'_>) {
        match &activity.kind {
            Kind::As(exchange) => enumeration::kerberos(exchange, tell),
            Kind::Ntlm(logon) => enumeration::ntlm(activity, logon, scene, tell),
            Kind::Rpc(call) => enumeration::rpc(activity, call, scene, tell),
            _ => {}
        }
    }
}
