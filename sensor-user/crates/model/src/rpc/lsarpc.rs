//! Policies, secrets, names and SIDs ([MS-LSAD], [MS-LSAT]).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Excerpt;

/// What operations of `lsarpc` were called with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LsarpcArguments {
    /// `LsarOpenPolicy`, `LsarOpenPolicy2`, [MS-LSAD] 3.1.4.4.1.
    OpenPolicy {
        /// `SystemName`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        server: Option<Box<str>>,
        /// `DesiredAccess` ([MS-LSAD] 2.2.1.1.2).
        access: u32,
    },
    /// `LsarQueryInformationPolicy` and its kind, [MS-LSAD] 3.1.4.4.4.
    QueryPolicy {
        /// `InformationClass`.
        level: u32,
    },
    /// `LsarSetInformationPolicy` and its kind, [MS-LSAD] 3.1.4.4.6.
    SetPolicy {
        /// `InformationClass`.
        level: u32,
    },
    /// `LsarLookupNames` in its versions, [MS-LSAT] 3.1.4.5 to 3.1.4.8.
    LookupNames {
        /// `Names`.
        names: Excerpt<Box<str>>,
    },
    /// `LsarLookupSids` in its versions, [MS-LSAT] 3.1.4.9 to 3.1.4.11.
    LookupSids {
        /// `SidEnumBuffer`.
        sids: Excerpt<Box<str>>,
    },
    /// `LsarEnumerate*`, [MS-LSAD] 3.1.4.
    Enumerate {
        /// Of what.
        list: LsarpcList,
        /// Entries answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u32>,
    },
    /// `LsarOpenAccount`, `LsarCreateAccount`, `LsarEnumerateAccountRights`, [MS-LSAD] 3.1.4.5.
    Account {
        /// `AccountSid`.
        sid: Box<str>,
    },
    /// `LsarAddAccountRights`, [MS-LSAD] 3.1.4.5.11.
    AddRights {
        /// `AccountSid`.
        sid: Box<str>,
        /// `UserRights`.
        rights: Excerpt<Box<str>>,
    },
    /// `LsarRemoveAccountRights`, [MS-LSAD] 3.1.4.5.12.
    RemoveRights {
        /// `AccountSid`.
        sid: Box<str>,
        /// `UserRights`; none where all are removed.
        rights: Excerpt<Box<str>>,
    },
    /// Operations on a secret, [MS-LSAD] 3.1.4.6: its name, never what it holds.
    Secret {
        /// What was done.
        action: SecretAction,
        /// Its name, where it was told or its opening was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Box<str>>,
    },
    /// `LsarQueryTrustedDomainInfoByName` and its kind, [MS-LSAD] 3.1.4.7.
    TrustedDomain {
        /// The name, or the SID, of the trusted domain.
        domain: Box<str>,
    },
}

/// What can be enumerated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LsarpcList {
    /// Accounts with rights of their own.
    Accounts,
    /// Domains that are trusted.
    TrustedDomains,
    /// Privileges.
    Privileges,
}

/// What is done with a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretAction {
    /// `LsarCreateSecret`.
    Create,
    /// `LsarOpenSecret`.
    Open,
    /// `LsarSetSecret`, `LsarStorePrivateData`.
    Write,
    /// `LsarQuerySecret`, `LsarRetrievePrivateData`.
    Read,
}

impl fmt::Display for LsarpcArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenPolicy { server, .. } => f.write_str(server.as_deref().unwrap_or_default()),
            Self::QueryPolicy { level } | Self::SetPolicy { level } => write!(f, "level {level}"),
            Self::LookupNames { names } => names.fmt(f),
            Self::LookupSids { sids } => sids.fmt(f),
            Self::Enumerate { count, .. } => match count {
                Some(count) => write!(f, "{count} entries"),
                None => Ok(()),
            },
            Self::Account { sid } => f.write_str(sid),
            Self::AddRights { sid, rights } | Self::RemoveRights { sid, rights } => {
                write!(f, "{rights} of {sid}")
            }
            Self::Secret { name, .. } => f.write_str(name.as_deref().unwrap_or("some secret")),
            Self::TrustedDomain { domain } => f.write_str(domain),
        }
    }
}
