//! What answers tell of the names that were asked for.

use std::borrow::Cow;
use std::fmt;

use goshawk_model::kerberos::{self as krb, AsExchange, error, error_name};
use goshawk_model::ldap::{Comparison, LdapOperation, Operation, Search};
use goshawk_model::ntlm::NtlmLogon;
use goshawk_model::rpc::{
    LsarpcArguments, NetlogonArguments, RpcArguments, RpcCall, SamrArguments, SamrClass,
};
use goshawk_model::{Account, Activity, Outcome, Status};
use serde::{Deserialize, Serialize};

use super::super::proves_identity;
use crate::scene::Scene;

/// `STATUS_SOME_NOT_MAPPED`, `STATUS_NONE_MAPPED` ([MS-ERREF] 2.3.1).
const SOME_NOT_MAPPED: u32 = 0x107;
const NONE_MAPPED: u32 = 0xc000_0073;
/// `STATUS_NO_SUCH_USER`.
const NO_SUCH_USER: u32 = 0xc000_0064;
/// `ERROR_NO_SUCH_USER` ([MS-ERREF] 2.2).
const ERROR_NO_SUCH_USER: u32 = 0x525;
/// NTSTATUS values of logons with names that exist: a wrong password, and what is wrong with the
/// account itself.
const LOGONS_OF_KNOWN: [u32; 7] = [
    0xc000_006a,
    0xc000_006e,
    0xc000_0071,
    0xc000_0072,
    0xc000_0193,
    0xc000_0224,
    0xc000_0234,
];
/// `Opcode` of answers to pings about users that are not known ([MS-ADTS] 6.3.1.3).
const USER_UNKNOWN: [u16; 2] = [21, 25];

/// A name asked for, and by whom where that is proven.
pub(in super::super) struct Name<'a> {
    pub(super) account: Cow<'a, Account>,
    pub(super) asker: Option<Account>,
}

/// Takes a name and what the answer tells of it.
pub(in super::super) type Tell<'a> = &'a mut dyn FnMut(Name<'_>, Answer);

/// What is known of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum Answer {
    /// Its owner is there.
    LoggedOn,
    /// A ticket was given without proof.
    Ticket,
    /// A KDC's error, which may be that it does not exist.
    Kerberos(i32),
    /// It exists, says a logon refused with this NTSTATUS.
    Logon(u32),
    /// A logon: it does not exist.
    NoLogon,
    /// A lookup by name: it exists, or not.
    Lookup(bool),
    /// A lookup by SID or RID: it does not exist.
    NoNumber,
    /// A ping: the controller knows it, or not.
    Ping(bool),
}

/// What names were asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Over {
    Kerberos,
    Ntlm,
    Lookups,
    Pings,
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kerberos => "Kerberos",
            Self::Ntlm => "NTLM",
            Self::Lookups => "lookups by RPC",
            Self::Pings => "LDAP pings",
        })
    }
}

impl Answer {
    pub(super) const fn over(self) -> Over {
        match self {
            Self::LoggedOn | Self::Ticket | Self::Kerberos(_) => Over::Kerberos,
            Self::Logon(_) | Self::NoLogon => Over::Ntlm,
            Self::Lookup(_) | Self::NoNumber => Over::Lookups,
            Self::Ping(_) => Over::Pings,
        }
    }

    pub(super) fn exists(self) -> bool {
        match self {
            Self::LoggedOn | Self::Ticket | Self::Logon(_) => true,
            Self::Kerberos(code) => code != error::C_PRINCIPAL_UNKNOWN,
            Self::Lookup(known) | Self::Ping(known) => known,
            Self::NoLogon | Self::NoNumber => false,
        }
    }

    /// Whether a number was asked for, not a name.
    pub(super) fn is_of_number(self) -> bool {
        self == Self::NoNumber
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoggedOn => f.write_str("logged on"),
            Self::Ticket => f.write_str("exists: a ticket was given without proof"),
            Self::Logon(status) => write!(f, "exists: {}", Status::Ntstatus(*status)),
            Self::Kerberos(code) if self.exists() => write!(f, "exists: {}", error_name(*code)),
            Self::Lookup(true) | Self::Ping(true) => f.write_str("exists"),
            Self::Kerberos(_)
            | Self::NoLogon
            | Self::Lookup(false)
            | Self::NoNumber
            | Self::Ping(false) => f.write_str("does not exist"),
        }
    }
}

/// A first ticket asked for, which takes no proof to learn whether the name exists (RFC 4120 3.1.3).
/// A wrong password is another attack's.
pub(in super::super) fn kerberos(exchange: &AsExchange, tell: Tell<'_>) {
    let Some(account) = &exchange.client else {
        return;
    };
    let request = exchange.request.as_ref();
    let is_proved = request.is_some_and(|request| proves_identity(&request.padata));
    let answer = match exchange.answer {
        krb::Answer::Issued { .. } if is_proved => Answer::LoggedOn,
        krb::Answer::Issued { .. } => Answer::Ticket,
        krb::Answer::Refused(
            code @ (error::C_PRINCIPAL_UNKNOWN
            | error::ETYPE_NOSUPP
            | error::CLIENT_REVOKED
            | error::KEY_EXPIRED
            | error::PREAUTH_REQUIRED),
        ) => Answer::Kerberos(code),
        _ => return,
    };
    tell(unproven(Cow::Borrowed(account)), answer);
}

/// A logon whose refusal tells more than "wrong" ([MS-ERREF] 2.3.1).
pub(in super::super) fn ntlm(
    activity: &Activity,
    logon: &NtlmLogon,
    scene: &Scene<'_>,
    tell: Tell<'_>,
) {
    let credentials = activity.credentials.as_deref();
    let Some(account) = credentials.and_then(|it| it.account.as_ref()) else {
        return;
    };
    let answer = match (activity.outcome, logon.status) {
        (Outcome::Success, _) => Answer::LoggedOn,
        (_, Some(Status::Ntstatus(NO_SUCH_USER))) => Answer::NoLogon,
        (_, Some(Status::Ntstatus(status))) if LOGONS_OF_KNOWN.contains(&status) => {
            Answer::Logon(status)
        }
        _ => return,
    };
    let server = logon.target_info();
    let account = scene.knowledge.canonical_at(account, server);
    tell(unproven(account), answer);
}

/// A lookup over SAMR, LSARPC or NETLOGON ([MS-SAMR] 3.1.5.11, [MS-LSAT] 3.1.4, [MS-NRPC] 3.5.4.3).
/// Which of several names are not mapped is not read, so a lookup that is answered in part tells
/// nothing of names.
pub(in super::super) fn rpc(
    activity: &Activity,
    call: &RpcCall,
    scene: &Scene<'_>,
    tell: Tell<'_>,
) {
    let (Some(arguments), Some(status)) = (&call.arguments, call.status) else {
        return;
    };
    let mut found = |name: &str, answer| {
        let asker = scene.knowledge.who(activity).map(Cow::into_owned);
        let account = Cow::Owned(Account::new(name, ""));
        tell(Name { account, asker }, answer);
    };
    match arguments {
        RpcArguments::Samr(SamrArguments::LookupNames { names, .. })
        | RpcArguments::Lsarpc(LsarpcArguments::LookupNames { names }) => {
            if matches!(status, 0 | NONE_MAPPED) {
                for name in &names.first {
                    found(name, Answer::Lookup(status == 0));
                }
            }
        }
        RpcArguments::Lsarpc(LsarpcArguments::LookupSids { sids }) => match status {
            NONE_MAPPED => sids
                .first
                .iter()
                .for_each(|sid| found(sid, Answer::NoNumber)),
            SOME_NOT_MAPPED if is_counted(sids.first.iter().map(|sid| rid(sid))) => {
                sids.first
                    .iter()
                    .for_each(|sid| found(sid, Answer::NoNumber));
            }
            _ => {}
        },
        RpcArguments::Samr(SamrArguments::LookupIds { rids, .. }) => match status {
            NONE_MAPPED => {
                let numbers = rids.first.iter();
                numbers.for_each(|rid| found(&format!("rid {rid}"), Answer::NoNumber));
            }
            SOME_NOT_MAPPED if is_counted(rids.first.iter().map(|&rid| Some(rid))) => {
                let numbers = rids.first.iter();
                numbers.for_each(|rid| found(&format!("rid {rid}"), Answer::NoNumber));
            }
            _ => {}
        },
        RpcArguments::Samr(SamrArguments::Open { object, .. })
            if status == NO_SUCH_USER && object.class == SamrClass::User =>
        {
            if let Some(rid) = object.rid {
                found(&format!("rid {rid}"), Answer::NoNumber);
            }
        }
        RpcArguments::Netlogon(NetlogonArguments::GetDcName {
            account: Some(name),
            ..
        }) if !name.is_empty() => match status {
            0 => found(name, Answer::Lookup(true)),
            ERROR_NO_SUCH_USER => found(name, Answer::Lookup(false)),
            _ => {}
        },
        _ => {}
    }
}

/// A ping that names a user ([MS-ADTS] 6.3.3). Computers ask so for themselves.
pub(in super::super) fn ping(operation: &LdapOperation, tell: Tell<'_>) {
    let Operation::Search(Search {
        request: Some(request),
        netlogon: Some(answer),
        ..
    }) = &operation.operation
    else {
        return;
    };
    let named = request.conditions.iter().find(|condition| {
        condition.comparison == Comparison::Equal
            && condition.attribute.eq_ignore_ascii_case("user")
            && !condition.value.is_empty()
    });
    let Some(named) = named else { return };
    let known = !USER_UNKNOWN.contains(&answer.opcode);
    let account = Account::new(&named.value, &answer.dns_domain_name);
    if !(known && account.is_machine()) {
        tell(unproven(Cow::Owned(account)), Answer::Ping(known));
    }
}

fn unproven(account: Cow<'_, Account>) -> Name<'_> {
    Name {
        account,
        asker: None,
    }
}

/// Whether numbers are counted through, as no folder's access list holds them.
fn is_counted(rids: impl Iterator<Item = Option<u32>>) -> bool {
    const ROW: usize = 8;
    let mut row = 1;
    let mut last = None;
    for rid in rids {
        row = match (last, rid) {
            (Some(last), Some(rid)) if rid == u32::wrapping_add(last, 1) => row + 1,
            _ => 1,
        };
        if row >= ROW {
            return true;
        }
        last = rid;
    }
    false
}

/// The last part of a SID.
fn rid(sid: &str) -> Option<u32> {
    sid.rsplit('-').next()?.parse().ok()
}
