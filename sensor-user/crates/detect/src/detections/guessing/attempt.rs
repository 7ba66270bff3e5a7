//! Passwords tried, whatever protocol carried them: whose, and what became of it.

use std::borrow::Cow;
use std::fmt;

use goshawk_model::kerberos::{Answer, AsExchange, error, error_name};
use goshawk_model::ldap::{Authentication, Bind, LdapOperation, Operation, result_code};
use goshawk_model::ntlm::{AvPairs, NtlmAuthenticate, NtlmLogon};
use goshawk_model::smb::SessionSetup;
use goshawk_model::{Account, Activity, Mechanism, Outcome, Status};
use serde::{Deserialize, Serialize};

use super::super::proves_identity;
use crate::scene::Scene;

/// NTSTATUS values of logons ([MS-ERREF] 2.3.1).
mod ntstatus {
    pub(super) const WRONG_PASSWORD: u32 = 0xc000_006a;
    pub(super) const LOGON_FAILURE: u32 = 0xc000_006d;
    pub(super) const PASSWORD_EXPIRED: u32 = 0xc000_0071;
    pub(super) const PASSWORD_MUST_CHANGE: u32 = 0xc000_0224;
    pub(super) const ACCOUNT_LOCKED_OUT: u32 = 0xc000_0234;
}

/// Win32 errors in a diagnostic message of LDAP ([MS-ERREF] 2.2).
mod win32 {
    pub(super) const NO_SUCH_USER: u32 = 0x525;
    pub(super) const LOGON_FAILURE: u32 = 0x52e;
    pub(super) const PASSWORD_EXPIRED: u32 = 0x532;
    pub(super) const PASSWORD_MUST_CHANGE: u32 = 0x773;
    pub(super) const ACCOUNT_LOCKED_OUT: u32 = 0x775;
}

/// A password tried for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Attempt<'a> {
    /// As the client names it.
    account: &'a Account,
    /// What the server says of itself.
    server: Option<&'a AvPairs>,
    pub(super) verdict: Verdict,
}

impl<'a> Attempt<'a> {
    /// The account by its own name, in its whole realm.
    pub(super) fn account(&self, scene: &'a Scene<'_>) -> Cow<'a, Account> {
        scene.knowledge.canonical_at(self.account, self.server)
    }
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The password was right, whether or not it may still be used.
    Right,
    Wrong(Refusal),
    /// The account is locked, or disabled.
    Locked(Refusal),
}

/// In which words a server refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Refusal {
    Kerberos(i32),
    Carrier(Status),
    /// The Win32 error that LDAP's diagnostic message names.
    Win32(u32),
}

/// What a password was tried by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Over {
    Kerberos,
    Ntlm,
    Ldap,
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kerberos => "Kerberos",
            Self::Ntlm => "NTLM",
            Self::Ldap => "LDAP",
        })
    }
}

impl Refusal {
    pub(super) const fn over(self) -> Over {
        match self {
            Self::Kerberos(_) => Over::Kerberos,
            Self::Win32(_) | Self::Carrier(Status::Ldap(_)) => Over::Ldap,
            Self::Carrier(_) => Over::Ntlm,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kerberos(code) => f.write_str(error_name(*code)),
            Self::Carrier(status) => status.fmt(f),
            Self::Win32(code) => write!(f, "LDAP result 49, data {code:x}"),
        }
    }
}

/// A first ticket asked for with a proof made from the password (RFC 4120 3.1).
pub(in super::super) fn kerberos(exchange: &AsExchange) -> Option<Attempt<'_>> {
    let account = exchange.client.as_ref()?;
    let is_proved = || {
        let request = exchange.request.as_ref();
        request.is_some_and(|request| proves_identity(&request.padata))
    };
    let verdict = match exchange.answer {
        Answer::Refused(code @ error::PREAUTH_FAILED) => Verdict::Wrong(Refusal::Kerberos(code)),
        Answer::Refused(code @ error::CLIENT_REVOKED) => Verdict::Locked(Refusal::Kerberos(code)),
        // The controller looks at the proof before it says so.
        Answer::Issued { .. } | Answer::Refused(error::KEY_EXPIRED) if is_proved() => {
            Verdict::Right
        }
        _ => return None,
    };
    Some(Attempt {
        account,
        server: None,
        verdict,
    })
}

/// An NTLM authentication ([MS-NLMP] 3.2.5.1.2).
pub(in super::super) fn ntlm<'a>(
    activity: &'a Activity,
    logon: &'a NtlmLogon,
) -> Option<Attempt<'a>> {
    let shown = logon.authenticate.as_ref();
    if shown.is_none_or(NtlmAuthenticate::is_anonymous) {
        return None;
    }
    let account = claimed(activity)?;
    let verdict = match (activity.outcome, logon.status) {
        (Outcome::Success, _) => Verdict::Right,
        (_, Some(status)) => refused(status)?,
        _ => return None,
    };
    Some(Attempt {
        account,
        server: logon.target_info(),
        verdict,
    })
}

/// A logon of SMB 1 with bare responses ([MS-CIFS] 2.2.4.53), which is no NTLMSSP.
pub(in super::super) fn smb1<'a>(
    activity: &'a Activity,
    setup: &SessionSetup,
) -> Option<Attempt<'a>> {
    let client = setup.smb1.as_ref()?;
    if !(client.lm_response || client.nt_response) || setup.guest || setup.null {
        return None;
    }
    let account = claimed(activity)?;
    let verdict = match (activity.outcome, setup.status) {
        (Outcome::Success, _) => Verdict::Right,
        (_, Some(status)) => refused(Status::Ntstatus(status))?,
        _ => return None,
    };
    Some(Attempt {
        account,
        server: None,
        verdict,
    })
}

/// A bind with a password, simple or by SASL (RFC 4513 5.1, 5.2).
pub(in super::super) fn ldap<'a>(
    activity: &'a Activity,
    operation: &LdapOperation,
) -> Option<Attempt<'a>> {
    let Operation::Bind(Bind { request, .. }) = &operation.operation else {
        return None;
    };
    let with_password = request.as_ref().is_none_or(|request| {
        matches!(
            request.authentication,
            Authentication::Simple | Authentication::Sasl(_) | Authentication::Sicily
        )
    });
    let credentials = activity.credentials.as_ref()?;
    let other = matches!(
        credentials.mechanism,
        Mechanism::Kerberos | Mechanism::Anonymous
    );
    if !with_password || other {
        return None;
    }
    let account = claimed(activity)?;
    let verdict = match (activity.outcome, &operation.result) {
        (Outcome::Success, _) => Verdict::Right,
        (Outcome::Failure, Some(result))
            if result.result_code == result_code::INVALID_CREDENTIALS =>
        {
            match result.data {
                win32::LOGON_FAILURE | win32::NO_SUCH_USER => {
                    Verdict::Wrong(Refusal::Win32(result.data))
                }
                // A server that does not tell.
                0 => Verdict::Wrong(Refusal::Carrier(Status::Ldap(result.result_code))),
                win32::ACCOUNT_LOCKED_OUT => Verdict::Locked(Refusal::Win32(result.data)),
                win32::PASSWORD_EXPIRED | win32::PASSWORD_MUST_CHANGE => Verdict::Right,
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(Attempt {
        account,
        server: None,
        verdict,
    })
}

/// Who the client says it is.
fn claimed(activity: &Activity) -> Option<&Account> {
    let account = activity.credentials.as_ref()?.account.as_ref()?;
    (!account.name().is_empty()).then_some(account)
}

/// What a carrier's refusal of NTLM means.
fn refused(status: Status) -> Option<Verdict> {
    let refusal = Refusal::Carrier(status);
    Some(match status {
        Status::Ntstatus(ntstatus::LOGON_FAILURE | ntstatus::WRONG_PASSWORD)
        | Status::Http(401 | 407) => Verdict::Wrong(refusal),
        Status::Ntstatus(ntstatus::ACCOUNT_LOCKED_OUT) => Verdict::Locked(refusal),
        Status::Ntstatus(ntstatus::PASSWORD_EXPIRED | ntstatus::PASSWORD_MUST_CHANGE) => {
            Verdict::Right
        }
        Status::Rpc(_) => Verdict::Wrong(refusal),
        _ => return None,
    })
}
