//! Transactions of SMB 1, of which exploits are made.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Share, is_zero, status};

/// A transaction of SMB 1 ([MS-CIFS] 2.2.4.33, 2.2.4.46, 2.2.4.62), as its messages state it.
///
/// EternalBlue's begins as one kind and goes on as another, and DoublePulsar answers under another
/// multiplex id than it was asked: these are facts here and judged elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// The command that began it: 0x25 TRANSACTION, 0x32 TRANSACTION2, 0xA0 NT_TRANSACT.
    pub command: u8,
    /// `Setup[0]`, or NT_TRANSACT's `Function`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subcommand: Option<u16>,
    /// `Setup[1]`: the FID that a pipe's transaction is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fid: Option<u16>,
    /// TRANSACTION's `Name`: `\PIPE\LANMAN`, `\MAILSLOT\BROWSE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// The share it was sent to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Arc<Share>>,
    /// `TotalParameterCount`, bytes announced.
    pub total_parameters: u32,
    /// `TotalDataCount`, bytes announced.
    pub total_data: u32,
    /// Parameter bytes that came, in all its messages.
    pub parameters: u32,
    /// Data bytes that came, in all its messages.
    pub data: u32,
    /// Messages that went on with it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub secondaries: u32,
    /// The command of the first of them: 0x26, 0x33 or 0xA1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secondary: Option<u8>,
    /// `PIDHigh` and `PIDLow`.
    pub pid: u32,
    /// `MID`
    pub mid: u16,
    /// The answer's `MID`, where it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_mid: Option<u16>,
    /// The server's status, where it refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u32>,
}

impl fmt::Display for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "smb1 transaction {:#04x}", self.command)?;
        if let Some(subcommand) = self.subcommand {
            write!(f, " {subcommand:#06x}")?;
        }
        if let Some(name) = &self.name {
            write!(f, " {name}")?;
        }
        status(f, self.status)
    }
}
