//! Accounts and groups ([MS-SAMR]).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Excerpt;

/// What operations of `samr` were called with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SamrArguments {
    /// `SamrConnect` in its versions, 3.1.5.1.1 to 3.1.5.1.4.
    Connect {
        /// `ServerName`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        server: Option<Box<str>>,
        /// `DesiredAccess` (2.2.1.3).
        access: u32,
    },
    /// `SamrLookupDomainInSamServer`, 3.1.5.11.1.
    LookupDomain {
        /// `Name`.
        name: Box<str>,
        /// `DomainId`, as answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sid: Option<Box<str>>,
    },
    /// `SamrEnumerate*`, 3.1.5.2.
    Enumerate {
        /// Of what.
        class: SamrClass,
        /// The domain's SID, where its opening was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        domain: Option<Box<str>>,
        /// `EnumerationContext`: where to go on.
        resume: u32,
        /// Entries answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u32>,
    },
    /// `SamrQueryDisplayInformation` in its versions, 3.1.5.3.
    Display {
        /// `DisplayInformationClass` (2.2.8.12): 1 users, 2 machines, 3 groups, 4 and 5 names only.
        class: u32,
        /// The domain's SID, where its opening was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        domain: Option<Box<str>>,
        /// `Index`: where to go on.
        index: u32,
        /// Entries answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u32>,
    },
    /// `SamrOpenDomain`, `SamrOpenUser`, `SamrOpenGroup`, `SamrOpenAlias`, 3.1.5.1.5 to 3.1.5.1.9.
    Open {
        /// What.
        object: SamrObject,
        /// `DesiredAccess` (2.2.1).
        access: u32,
    },
    /// `SamrLookupNamesInDomain`, 3.1.5.11.2.
    LookupNames {
        /// The domain's SID, where its opening was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        domain: Option<Box<str>>,
        /// `Names`.
        names: Excerpt<Box<str>>,
    },
    /// `SamrLookupIdsInDomain`, 3.1.5.11.3.
    LookupIds {
        /// The domain's SID, where its opening was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        domain: Option<Box<str>>,
        /// `RelativeIds`.
        rids: Excerpt<u32>,
    },
    /// `SamrQueryInformation*`, 3.1.5.5.
    Query {
        /// Of what, where its opening was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        object: Option<SamrObject>,
        /// The information class.
        level: u32,
    },
    /// `SamrSetInformation*`, 3.1.5.6: what is set is not kept, passwords are among it.
    Set {
        /// Of what, where its opening was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        object: Option<SamrObject>,
        /// The information class.
        level: u32,
    },
    /// `SamrGetMembersInGroup`, `SamrGetMembersInAlias`, 3.1.5.8.
    Members {
        /// Of what, where its opening was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        object: Option<SamrObject>,
        /// Entries answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u32>,
    },
    /// `SamrGetGroupsForUser`, 3.1.5.9.1.
    Groups {
        /// Of whom, where its opening was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        object: Option<SamrObject>,
        /// Entries answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u32>,
    },
    /// `SamrGetAliasMembership`, 3.1.5.9.2.
    Aliases {
        /// `SidArray`: of whom.
        sids: Excerpt<Box<str>>,
    },
    /// `SamrCreateUserInDomain` and its kind, 3.1.5.4.
    Create {
        /// What.
        class: SamrClass,
        /// `Name`.
        name: Box<str>,
        /// `AccountType` (2.2.1.12): 0x10 a user, 0x80 a computer, 0x100 a controller.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account_type: Option<u32>,
        /// `RelativeId`, as answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rid: Option<u32>,
    },
    /// `SamrDeleteUser` and its kind, 3.1.5.7.
    Delete {
        /// What, where its opening was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        object: Option<SamrObject>,
    },
    /// `SamrAddMemberToGroup`, `SamrAddMemberToAlias`, `SamrAddMultipleMembersToAlias`, 3.1.5.8.
    AddMember {
        /// To what, where its opening was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        object: Option<SamrObject>,
        /// Whom.
        member: SamrMember,
    },
    /// `SamrRemoveMemberFromGroup` and its kind, 3.1.5.8.
    RemoveMember {
        /// From what, where its opening was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        object: Option<SamrObject>,
        /// Whom.
        member: SamrMember,
    },
    /// `SamrUnicodeChangePasswordUser2` and its kind, 3.1.5.10.
    ChangePassword {
        /// `UserName`; of `SamrChangePasswordUser`, which has a handle, `None`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<Box<str>>,
        /// Whose, where its opening was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        object: Option<SamrObject>,
    },
    /// `SamrRidToSid`, 3.1.5.13.6.
    RidToSid {
        /// `Rid`.
        rid: u32,
        /// `Sid`, as answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sid: Option<Box<str>>,
    },
    /// `SamrSetDSRMPassword`, 3.1.5.13.5: the password that opens a controller without its domain.
    SetDsrmPassword {
        /// `UserId`: the RID.
        rid: u32,
    },
}

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SamrClass {
    /// A domain.
    Domain,
    /// A user or a computer.
    User,
    /// A global or universal group.
    Group,
    /// A local group.
    Alias,
}

/// An object of the account database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamrObject {
    /// What it is.
    pub class: SamrClass,
    /// Its domain's SID, where the opening of the domain was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Box<str>>,
    /// Its RID; a domain has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rid: Option<u32>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SamrMember {
    /// Of the same domain.
    Rid(u32),
    /// Of any domain.
    Sid(Box<str>),
    /// Several.
    Sids(Excerpt<Box<str>>),
}

impl SamrClass {
    /// The name in texts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::User => "user",
            Self::Group => "group",
            Self::Alias => "alias",
        }
    }
}

impl fmt::Display for SamrObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.class.name())?;
        match (&self.domain, self.rid) {
            (Some(domain), Some(rid)) => write!(f, " {domain}-{rid}"),
            (Some(domain), None) => write!(f, " {domain}"),
            (None, Some(rid)) => write!(f, " {rid}"),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Display for SamrMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rid(rid) => rid.fmt(f),
            Self::Sid(sid) => f.write_str(sid),
            Self::Sids(sids) => sids.fmt(f),
        }
    }
}

impl fmt::Display for SamrArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |f: &mut fmt::Formatter<'_>, object: &Option<SamrObject>| match object {
            Some(object) => object.fmt(f),
            None => f.write_str("of something"),
        };
        match self {
            Self::Connect { server, .. } => f.write_str(server.as_deref().unwrap_or_default()),
            Self::LookupDomain { name, .. } => f.write_str(name),
            Self::Enumerate { class, count, .. } => match count {
                Some(count) => write!(f, "{count} of class {}", class.name()),
                None => f.write_str(class.name()),
            },
            Self::Display { class, .. } => write!(f, "class {class}"),
            Self::Open { object, .. } => object.fmt(f),
            Self::LookupNames { names, .. } => names.fmt(f),
            Self::LookupIds { rids, .. } => rids.fmt(f),
            Self::Query { object, level } | Self::Set { object, level } => {
                of(f, object)?;
                write!(f, ", level {level}")
            }
            Self::Members { object, .. }
            | Self::Groups { object, .. }
            | Self::Delete { object } => of(f, object),
            Self::Aliases { sids } => sids.fmt(f),
            Self::Create { class, name, .. } => write!(f, "{} {name}", class.name()),
            Self::AddMember { object, member } => {
                write!(f, "{member} to ")?;
                of(f, object)
            }
            Self::RemoveMember { object, member } => {
                write!(f, "{member} from ")?;
                of(f, object)
            }
            Self::ChangePassword { user, object } => match user {
                Some(user) => f.write_str(user),
                None => of(f, object),
            },
            Self::RidToSid { rid, .. } | Self::SetDsrmPassword { rid } => rid.fmt(f),
        }
    }
}
