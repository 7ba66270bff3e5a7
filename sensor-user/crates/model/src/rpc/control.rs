//! Services ([MS-SCMR]), scheduled tasks ([MS-TSCH]) and the registry ([MS-RRP]).

use std::fmt;

use serde::{Deserialize, Serialize};

/// What operations of `svcctl` were called with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ServiceArguments {
    /// `ROpenSCManagerW`, 3.1.4.15.
    OpenManager {
        /// `dwDesiredAccess`.
        access: u32,
    },
    /// `ROpenServiceW`, 3.1.4.16.
    Open {
        /// `lpServiceName`.
        name: Box<str>,
        /// `dwDesiredAccess`.
        access: u32,
    },
    /// `RCreateServiceW`, `RCreateServiceWOW64W`, 3.1.4.12.
    Create {
        /// `lpServiceName`.
        name: Box<str>,
        /// `lpBinaryPathName`: what it runs, passwords in it masked.
        binary_path: Box<str>,
        /// `dwServiceType`.
        service_type: u32,
        /// `dwStartType`.
        start_type: u32,
    },
    /// `RChangeServiceConfigW`, 3.1.4.11.
    Change {
        /// The service, where its opening was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Box<str>>,
        /// `lpBinaryPathName`: what it runs from now on, passwords in it masked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        binary_path: Option<Box<str>>,
    },
    /// `RStartServiceW`, 3.1.4.19.
    Start {
        /// The service, where its opening was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Box<str>>,
    },
    /// `RDeleteService`, 3.1.4.3.
    Delete {
        /// The service, where its opening was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Box<str>>,
    },
}

/// What operations on tasks were called with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TaskArguments {
    /// `SchRpcRegisterTask`, 3.2.5.4.2.
    Register {
        /// `path`; `None` lets the server choose.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<Box<str>>,
    },
    /// `SchRpcRun`, 3.2.5.4.13.
    Run {
        /// `path`.
        path: Box<str>,
    },
    /// `SchRpcDelete`, 3.2.5.4.14.
    Delete {
        /// `path`.
        path: Box<str>,
    },
    /// `NetrJobAdd`, 3.2.5.2.1.
    AddJob {
        /// `Command`, passwords in it masked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        command: Option<Box<str>>,
    },
}

/// What operations on the registry were called with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RegistryArguments {
    /// `OpenLocalMachine` and its kind, 3.1.5.1 to 3.1.5.5.
    OpenRoot {
        /// `samDesired`.
        access: u32,
    },
    /// `BaseRegOpenKey`, 3.1.5.15.
    OpenKey {
        /// The key, from its root on where the opening of that was seen.
        key: Box<str>,
        /// `samDesired`.
        access: u32,
    },
    /// `BaseRegSaveKey`, `BaseRegSaveKeyEx`, 3.1.5.20: how hives with secrets are taken away.
    SaveKey {
        /// The key, where its opening was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Box<str>>,
        /// `lpFile`: where to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<Box<str>>,
    },
    /// `BaseRegQueryValue`, `BaseRegSetValue`, 3.1.5.17, 3.1.5.22: the value's name, never what it
    /// holds.
    Value {
        /// The key, where its opening was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Box<str>>,
        /// `lpValueName`.
        name: Box<str>,
    },
}

impl fmt::Display for ServiceArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenManager { .. } => f.write_str("manager"),
            Self::Open { name, .. } => f.write_str(name),
            Self::Create {
                name, binary_path, ..
            } => write!(f, "{name}: {binary_path}"),
            Self::Change { name, .. } | Self::Start { name } | Self::Delete { name } => {
                f.write_str(name.as_deref().unwrap_or("some service"))
            }
        }
    }
}

impl fmt::Display for TaskArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Register { path } => path.as_deref().unwrap_or("some task"),
            Self::Run { path } | Self::Delete { path } => path,
            Self::AddJob { command } => command.as_deref().unwrap_or("some command"),
        })
    }
}

impl fmt::Display for RegistryArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenRoot { .. } => f.write_str("root"),
            Self::OpenKey { key, .. } => f.write_str(key),
            Self::SaveKey { key, .. } => f.write_str(key.as_deref().unwrap_or("some key")),
            Self::Value { key, name } => {
                write!(f, "{name} of {}", key.as_deref().unwrap_or("some key"))
            }
        }
    }
}
