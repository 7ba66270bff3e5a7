//! Shares and sessions ([MS-SRVS]), and who is logged on ([MS-WKST]).

use std::fmt;

use serde::{Deserialize, Serialize};

/// What operations of `srvsvc` were called with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SrvsvcArguments {
    /// `NetrSessionEnum`, 3.1.4.5: who is connected from where.
    SessionEnum {
        /// `ClientName`: from there only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client: Option<Box<str>>,
        /// `UserName`: of them only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<Box<str>>,
        /// `Level`.
        level: u32,
        /// Entries answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u32>,
    },
    /// `NetrShareEnum`, `NetrShareEnumSticky`, 3.1.4.8.
    ShareEnum {
        /// `Level`.
        level: u32,
        /// Entries answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u32>,
    },
    /// `NetrShareGetInfo`, 3.1.4.10.
    ShareGetInfo {
        /// `NetName`.
        share: Box<str>,
        /// `Level`.
        level: u32,
    },
    /// `NetrFileEnum`, 3.1.4.2.
    FileEnum {
        /// `BasePath`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<Box<str>>,
        /// `UserName`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<Box<str>>,
        /// `Level`.
        level: u32,
        /// Entries answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u32>,
    },
    /// `NetrConnectionEnum`, 3.1.4.1.
    ConnectionEnum {
        /// `Qualifier`: a share or a computer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        qualifier: Option<Box<str>>,
        /// `Level`.
        level: u32,
        /// Entries answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u32>,
    },
    /// `NetrServerGetInfo`, 3.1.4.17.
    ServerGetInfo {
        /// `Level`.
        level: u32,
    },
    /// `NetrRemoteTOD`, 3.1.4.21.
    RemoteTod {
        /// `ServerName`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        server: Option<Box<str>>,
    },
}

/// What operations of `wkssvc` were called with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum WkssvcArguments {
    /// `NetrWkstaGetInfo`, 3.2.4.1.
    GetInfo {
        /// `Level`.
        level: u32,
    },
    /// `NetrWkstaUserEnum`, 3.2.4.3: who is logged on.
    UserEnum {
        /// `Level`.
        level: u32,
        /// Entries answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u32>,
    },
}

impl fmt::Display for SrvsvcArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SessionEnum { level, .. }
            | Self::ShareEnum { level, .. }
            | Self::FileEnum { level, .. }
            | Self::ConnectionEnum { level, .. }
            | Self::ServerGetInfo { level } => write!(f, "level {level}"),
            Self::ShareGetInfo { share, level } => write!(f, "{share}, level {level}"),
            Self::RemoteTod { server } => f.write_str(server.as_deref().unwrap_or_default()),
        }
    }
}

impl fmt::Display for WkssvcArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GetInfo { level } | Self::UserEnum { level, .. } => write!(f, "level {level}"),
        }
    }
}
