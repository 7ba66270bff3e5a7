//! Brute force and password spray over Kerberos and NTLM: guessing passwords at the controller.
//!
//! **The attack.** Many passwords for one account (brute force), or one password for many accounts
//! (spray, which stays below lockout limits): kerbrute, Rubeus `brute`, netexec, `kinit` or
//! `smbclient` in a loop. Several machines may share the work on one account.
//!
//! **On the wire.** Over Kerberos an AS-REQ with a proof made from the guessed password, answered by
//! `KDC_ERR_PREAUTH_FAILED` (RFC 4120 3.1.3, 7.5.9); once the account is locked, by
//! `KDC_ERR_CLIENT_REVOKED`. Over NTLM, in SMB, RPC or HTTP, an AUTHENTICATE message that the
//! carrier refuses: `STATUS_LOGON_FAILURE`, a fault, 401 ([MS-NLMP] 3.2.5.1.2). A success after such
//! failures means that the guess was right.
//!
//! NTLM that is passed on by a member server travels sealed ([MS-NRPC] 3.2.4.1) and cannot be seen.
//! Binds to the directory, and SMB by tools for the purpose, have rules of their own. What looks like
//! it, and how it is told apart, stands in `guessing`.

use goshawk_model::smb::SmbOperation;
use goshawk_model::{Activity, Carrier, Kind, Severity};

use super::guessing::{self, Attempt, GUESSING, Guessing, LEARNING, SPRAYING, Way};
use crate::description::Description;
use crate::kinds::Kinds;
use crate::knowledge::Tool;
use crate::scene::Scene;

pub(super) const DESCRIPTION: Description = Description {
    external_id: 2023,
    name: "brute-force",
    title: "Passwords guessed over Kerberos or NTLM (brute force, spray)",
    severity: Severity::Medium,
    techniques: &[GUESSING, SPRAYING],
    learning: Some(LEARNING),
    meaning: "Somebody tries passwords, many for one account or one for many accounts. One hit is \
        enough to act as that account.",
    help: "Seen is every wrong password that reaches a controller over Kerberos, or NTLM in SMB, RPC \
        and HTTP, and every logon that follows. The passwords themselves are not seen, nor NTLM that \
        a member server passes on. Accounts are put together over twelve hours, tries of one account \
        over ten minutes.",
    look_alikes: "People who mistype; services, tasks and telephones that keep an old password, \
        which are told with low severity, and not at all while the sensor learns.",
    remediation: &[
        "If an account logged on after the failures, reset its password and end its sessions: the \
         guess was right.",
        "Find out what runs on the source. A stored password that is stale is corrected there; \
         otherwise isolate the machine.",
        "Check the accounts tried for weak passwords, and set a lockout threshold and a list of \
         banned passwords.",
        "Require a second factor for accounts that can be reached from outside.",
    ],
};

/// The rule.
pub(super) type BruteForce = Guessing<KerberosAndNtlm>;

#[derive(Clone, Debug, Default)]
pub(super) struct KerberosAndNtlm;

impl Way for KerberosAndNtlm {
    const DESCRIPTION: &'static Description = &DESCRIPTION;
    const LISTENS: Kinds = Kinds::AS.and(Kinds::NTLM).and(Kinds::SMB);
    const TABLES: [&'static str; 3] = [
        "brute-force-sources",
        "brute-force-victims",
        "brute-force-loops",
    ];

    fn attempt<'a>(
        activity: &'a Activity,
        scene: &Scene<'_>,
    ) -> Option<(Attempt<'a>, Option<Tool>)> {
        let ordinary = |activity| scene.knowledge.tools.get(activity).is_none();
        let attempt = match &activity.kind {
            Kind::As(exchange) => guessing::kerberos(exchange),
            Kind::Ntlm(logon) => match logon.carrier {
                Carrier::Ldap => None,
                Carrier::Smb => guessing::ntlm(activity, logon).filter(|_| ordinary(activity)),
                _ => guessing::ntlm(activity, logon),
            },
            Kind::Smb(SmbOperation::Session(setup)) => {
                guessing::smb1(activity, setup).filter(|_| ordinary(activity))
            }
            _ => None,
        };
        Some((attempt?, None))
    }
}
