//! Replication of the directory ([MS-DRSR]).

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Excerpt;

/// `IDL_DRSBind`, [MS-DRSR] 4.1.3.
pub const DRS_BIND: u16 = 0;
/// `IDL_DRSGetNCChanges`, [MS-DRSR] 4.1.10: hands out objects with their secrets.
pub const DRS_GET_NC_CHANGES: u16 = 3;
/// `IDL_DRSCrackNames`, [MS-DRSR] 4.1.4.
pub const DRS_CRACK_NAMES: u16 = 12;

/// What operations of `drsuapi` were called with. Real controllers seal them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DrsuapiArguments {
    /// `IDL_DRSBind`, 4.1.3.
    Bind {
        /// `puuidClientDsa`: who the client says to be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client: Option<Uuid>,
        /// `dwFlags` of the client's `DRS_EXTENSIONS_INT` (5.39).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        extensions: Option<u32>,
    },
    /// `IDL_DRSGetNCChanges`, 4.1.10.
    GetNcChanges {
        /// `pNC`: the naming context, or the one object.
        object: DirectoryName,
        /// `uuidDsaObjDest`: the controller that the changes are for.
        destination: Uuid,
        /// `ulFlags`, DRS_OPTIONS (5.41).
        flags: u32,
        /// `ulExtendedOp` (4.1.10.2.22): 6 and 7 ask for a single object, with its secrets.
        extended_operation: u32,
        /// `cNumObjects` of an answer that was not compressed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        objects: Option<u32>,
    },
    /// `IDL_DRSReplicaSync`, `IDL_DRSUpdateRefs`, `IDL_DRSReplicaAdd`, `IDL_DRSReplicaDel`
    /// (4.1.23, 4.1.26, 4.1.19, 4.1.20): who replicates from whom.
    Replica {
        /// `pNC`: the naming context.
        object: DirectoryName,
        /// The other controller's network name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partner: Option<Box<str>>,
        /// The other controller's object, where the operation names it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partner_dsa: Option<Uuid>,
        /// `ulOptions`, DRS_OPTIONS (5.41).
        options: u32,
    },
    /// `IDL_DRSCrackNames`, 4.1.4.
    CrackNames {
        /// `formatOffered` (4.1.4.1.3).
        offered: u32,
        /// `formatDesired`.
        desired: u32,
        /// `rpNames`.
        names: Excerpt<Box<str>>,
    },
    /// `IDL_DRSWriteSPN`, 4.1.28.
    WriteSpn {
        /// `pwszAccount`: whose service principal names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<Box<str>>,
        /// `operation`: 0 add, 1 replace, 2 delete.
        operation: u32,
        /// `rpwszSPN`.
        names: Excerpt<Box<str>>,
    },
    /// `IDL_DRSAddEntry`, 4.1.1: how a controller is added (DCShadow).
    AddEntry {
        /// The first object's name.
        object: DirectoryName,
    },
    /// `IDL_DRSDomainControllerInfo`, 4.1.5.
    DomainControllerInfo {
        /// `Domain`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        domain: Option<Box<str>>,
        /// `InfoLevel`.
        level: u32,
    },
    /// `IDL_DRSGetReplInfo`, 4.1.13.
    ReplicationInfo {
        /// `InfoType`.
        info: u32,
        /// `pszObjectDN`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        object: Option<Box<str>>,
    },
}

/// An object, by as many of its names as were given: `DSNAME`, [MS-DRSR] 5.50.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryName {
    /// `Guid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guid: Option<Uuid>,
    /// `Sid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Box<str>>,
    /// `StringName`, a distinguished name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dn: Option<Box<str>>,
}

impl fmt::Display for DirectoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.dn, &self.sid, &self.guid) {
            (Some(dn), _, _) => f.write_str(dn),
            (None, Some(sid), _) => f.write_str(sid),
            (None, None, Some(guid)) => guid.fmt(f),
            (None, None, None) => f.write_str("nothing"),
        }
    }
}

impl fmt::Display for DrsuapiArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { client, .. } => match client {
                Some(client) => write!(f, "by {client}"),
                None => f.write_str("by nobody"),
            },
            Self::GetNcChanges {
                object,
                extended_operation,
                ..
            } => write!(f, "of {object}, extended operation {extended_operation}"),
            Self::Replica {
                object, partner, ..
            } => match partner {
                Some(partner) => write!(f, "of {object} with {partner}"),
                None => write!(f, "of {object}"),
            },
            Self::CrackNames { names, .. } => write!(f, "of {names}"),
            Self::WriteSpn { account, names, .. } => {
                write!(f, "{names} of {}", account.as_deref().unwrap_or("nobody"))
            }
            Self::AddEntry { object } => object.fmt(f),
            Self::DomainControllerInfo { domain, .. } => {
                f.write_str(domain.as_deref().unwrap_or("of no domain"))
            }
            Self::ReplicationInfo { info, .. } => write!(f, "type {info}"),
        }
    }
}
