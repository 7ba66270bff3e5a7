//! Secure channels ([MS-NRPC]).

use std::fmt;

use serde::{Deserialize, Serialize};

/// What operations of `netlogon` were called with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NetlogonArguments {
    /// `NetrServerReqChallenge`, 3.5.4.4.1.
    Challenge {
        /// `ComputerName`.
        computer: Box<str>,
        /// Whether the first five bytes of `ClientChallenge` are all the same, which chance does
        /// once in four thousand million times and Zerologon always (CVE-2020-1472).
        uniform_challenge: bool,
    },
    /// `NetrServerAuthenticate` in its versions, 3.5.4.4.2.
    Authenticate {
        /// Who authenticates.
        channel: SecureChannel,
        /// Whether `ClientCredential` is all zeros, as Zerologon sends it.
        zero_credential: bool,
        /// `NegotiateFlags` (3.1.4.2), as asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        flags: Option<u32>,
        /// `AccountRid`, as answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rid: Option<u32>,
    },
    /// `NetrServerPasswordSet`, `NetrServerPasswordSet2`, 3.5.4.4.5.
    PasswordSet {
        /// Whose password.
        channel: SecureChannel,
        /// Whether the authenticator's credential is all zeros, as Zerologon sends it.
        zero_credential: bool,
    },
    /// `NetrServerPasswordGet`, `NetrServerTrustPasswordsGet`, `NetrServerGetTrustInfo`, 3.5.4.4.8
    /// and 3.5.4.4.9.
    PasswordGet {
        /// Whose password.
        channel: SecureChannel,
    },
    /// `DsrGetDcName` in its versions, `NetrGetDCName`, `NetrGetAnyDCName`, 3.5.4.3.
    GetDcName {
        /// `DomainName`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        domain: Option<Box<str>>,
        /// `AccountName`, whose existence is asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<Box<str>>,
        /// The controller, as answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        controller: Option<Box<str>>,
    },
    /// `NetrLogonSamLogon` in its versions, 3.5.4.5: a logon passed on to a controller.
    SamLogon {
        /// `LogonLevel` (2.2.1.4.16).
        level: u32,
        /// `LogonDomainName`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        domain: Option<Box<str>>,
        /// `UserName`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<Box<str>>,
        /// `Workstation`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        workstation: Option<Box<str>>,
    },
    /// `NetrLogonGetDomainInfo`, `NetrLogonGetCapabilities`, 3.5.4.4.
    Computer {
        /// `ComputerName`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        computer: Option<Box<str>>,
    },
}

/// One end of a secure channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecureChannel {
    /// `AccountName`.
    pub account: Box<str>,
    /// `SecureChannelType` (2.2.1.3.13): 2 a workstation, 4 and 5 a trust, 6 a controller.
    pub channel_type: u32,
    /// `ComputerName`.
    pub computer: Box<str>,
}

impl fmt::Display for NetlogonArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Challenge { computer, .. } => f.write_str(computer),
            Self::Authenticate { channel, .. }
            | Self::PasswordSet { channel, .. }
            | Self::PasswordGet { channel } => {
                write!(f, "{} from {}", channel.account, channel.computer)
            }
            Self::GetDcName {
                domain, controller, ..
            } => {
                f.write_str(domain.as_deref().unwrap_or_default())?;
                match controller {
                    Some(controller) => write!(f, " is {controller}"),
                    None => Ok(()),
                }
            }
            Self::SamLogon { user, .. } => f.write_str(user.as_deref().unwrap_or_default()),
            Self::Computer { computer } => f.write_str(computer.as_deref().unwrap_or_default()),
        }
    }
}
