//! What controllers have written into the tickets that they issued, where those are opened with a
//! keytab: who has which number, and which of the groups that give power.
//!
//! Only what a controller answered to a logon counts. A ticket that was had with another one says what
//! that one says, and may be forged as well.

use goshawk_model::kerberos::{Answer, LogonInfo, Opened};
use goshawk_model::{Account, Activity, Kind, Timestamp};
use serde::{Deserialize, Serialize};

use crate::detections::services::Service;
use crate::table::{Table, TableStats};

/// Accounts remembered.
const ACCOUNTS: usize = 65_536;

/// By account, and by its SID.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Rights {
    accounts: Table<Account, Given, ACCOUNTS>,
    numbers: Table<Box<str>, Account, ACCOUNTS>,
}

/// What an account was given when it last logged on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Given {
    /// Its SID.
    pub(crate) sid: Box<str>,
    /// SIDs of those of its groups that give power.
    pub(crate) powers: Vec<Box<str>>,
}

impl Rights {
    /// What `account` was given.
    pub(crate) fn given(&self, account: &Account) -> Option<&Given> {
        self.accounts.get(account)
    }

    /// Whose this SID is.
    pub(crate) fn bearer(&self, sid: &str) -> Option<&Account> {
        self.numbers.get(sid)
    }

    pub(super) fn learn(&mut self, activity: &Activity, now: Timestamp) {
        let Some((realm, opened)) = issued_at_logon(activity) else {
            return;
        };
        let Some(logon) = opened.pac.as_ref().and_then(|pac| pac.logon.as_ref()) else {
            return;
        };
        let Some(sid) = sid_of(logon) else {
            return;
        };
        let account = Account::new(&logon.user, realm);
        let given = Given {
            powers: powers(logon),
            sid: sid.into(),
        };
        let known = self
            .numbers
            .touch(given.sid.clone(), now, || account.clone());
        if *known != account {
            *known = account.clone();
        }
        let known = self.accounts.touch(account, now, Given::default);
        if *known != given {
            *known = given;
        }
    }

    pub(super) fn stats(&self) -> [(&'static str, TableStats); 2] {
        [
            ("rights", self.accounts.stats()),
            ("rights-numbers", self.numbers.stats()),
        ]
    }
}

/// The realm, and what is in the ticket-granting ticket that one of its controllers issued to somebody
/// who logged on.
pub(super) fn issued_at_logon(activity: &Activity) -> Option<(&str, &Opened)> {
    let Kind::As(exchange) = &activity.kind else {
        return None;
    };
    let Answer::Issued { ticket, .. } = &exchange.answer else {
        return None;
    };
    let opened = ticket.opened.as_deref()?;
    let service = Service::new(&ticket.service);
    service.is_own_kdc().then_some((service.realm(), opened))
}

/// The account's SID.
pub(crate) fn sid_of(logon: &LogonInfo) -> Option<String> {
    let domain = logon.domain_sid.as_deref()?;
    Some(format!("{domain}-{}", logon.user_id))
}

/// SIDs of the groups that give power over a domain, lowest first.
pub(crate) fn powers(logon: &LogonInfo) -> Vec<Box<str>> {
    let domain = logon.domain_sid.as_deref().unwrap_or_default();
    let primary = std::iter::once(&logon.primary_group_id);
    let own = logon.groups.iter().chain(primary);
    let own = own.filter(|&&group| is_power(group));
    let extra = logon.extra_sids.iter().filter(|sid| is_powerful(sid));
    let mut powers: Vec<Box<str>> = own
        .map(|group| format!("{domain}-{group}").into())
        .chain(extra.cloned())
        .collect();
    powers.sort_unstable();
    powers.dedup();
    powers
}

/// Enterprise Read-only Domain Controllers, Domain Admins, Domain Controllers, Schema Admins, Enterprise
/// Admins, Group Policy Creator Owners, Read-only Domain Controllers, Key Admins, Enterprise Key Admins
/// ([MS-DTYP] 2.4.2.4).
fn is_power(group: u32) -> bool {
    matches!(group, 498 | 512 | 516 | 518..=521 | 526 | 527)
}

/// One of those of any domain, Enterprise Domain Controllers, or Administrators and the operators of
/// accounts, servers and backups.
pub(crate) fn is_powerful(sid: &str) -> bool {
    let domain = sid.strip_prefix("S-1-5-21-");
    match domain.and_then(|domain| domain.rsplit_once('-')) {
        Some((_, group)) => group.parse().is_ok_and(is_power),
        None => matches!(
            sid,
            "S-1-5-9" | "S-1-5-32-544" | "S-1-5-32-548" | "S-1-5-32-549" | "S-1-5-32-551"
        ),
    }
}
