//! A connection and its sessions: who speaks, in which dialect, how protected.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{is_false, status};

/// A session request of NetBIOS (RFC 1002 4.3.2), in front of SMB on port 139.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetbiosSession {
    /// The name of the server that was called; `*SMBSERVER` for any.
    pub called: Box<str>,
    /// The name by which the client calls itself.
    pub calling: Box<str>,
    /// The server's `ERROR_CODE`, where it refused (RFC 1002 4.3.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<u8>,
}

/// A negotiation ([MS-SMB2] 2.2.3 and 2.2.4, [MS-CIFS] 2.2.4.52).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Negotiate {
    /// The client spoke SMB 1: its first words are so old that any server understands them.
    #[serde(default, skip_serializing_if = "is_false")]
    pub smb1: bool,
    /// The dialects offered, in their order: `3.1.1`, `2.0.2`, and strings such as `NT LM 0.12` in
    /// SMB 1. Sixteen at most.
    pub offered: Vec<Cow<'static, str>>,
    /// The dialect chosen; `2.?` asks the client to negotiate once more, in SMB 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<Cow<'static, str>>,
    /// What the client can do and asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Terms>,
    /// What the server can do, and chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Terms>,
    /// The server's NTSTATUS, where it refused ([MS-ERREF] 2.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u32>,
}

/// One side's part in a negotiation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// `ClientGuid` or `ServerGuid`: chosen when the machine starts, so it tells one behind many
    /// addresses, and tools whose GUID is no random number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guid: Option<Uuid>,
    /// `SecurityMode`: 1 signing enabled, 2 signing required ([MS-SMB2] 2.2.3). SMB 1's server has
    /// its own bits, 4 enabled and 8 required, which are told as these ([MS-CIFS] 2.2.4.52.2).
    pub security_mode: u16,
    /// `Capabilities`, of SMB 2 or of SMB 1.
    pub capabilities: u32,
    /// Hash algorithms of preauthentication integrity ([MS-SMB2] 2.2.3.1.1).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hashes: Vec<u16>,
    /// Ciphers: 1 AES-128-CCM, 2 AES-128-GCM, 3 and 4 with 256 bits ([MS-SMB2] 2.2.3.1.2).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ciphers: Vec<u16>,
    /// Compression algorithms ([MS-SMB2] 2.2.3.1.3).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compression: Vec<u16>,
    /// Signing algorithms ([MS-SMB2] 2.2.3.1.7).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signing: Vec<u16>,
    /// The name of the server: as the client wants to reach it ([MS-SMB2] 2.2.3.1.4), or as SMB 1's
    /// server tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// The domain, as SMB 1's server tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Box<str>>,
}

/// A logon, with all its messages ([MS-SMB2] 2.2.5 and 2.2.6, [MS-SMB] 2.2.4.6).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSetup {
    /// `SessionId`, or SMB 1's `UID`.
    pub session: u64,
    /// The dialect spoken, where the negotiation was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Cow<'static, str>>,
    /// The server took the client for a guest.
    #[serde(default, skip_serializing_if = "is_false")]
    pub guest: bool,
    /// A null session: nobody logged on ([MS-SMB2] 2.2.6 `IS_NULL`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub null: bool,
    /// One of both sides requires signatures.
    #[serde(default, skip_serializing_if = "is_false")]
    pub signing_required: bool,
    /// The server's last answer carried a signature.
    #[serde(default, skip_serializing_if = "is_false")]
    pub signed: bool,
    /// The server wants everything in the session encrypted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub encrypted: bool,
    /// A further connection was bound to a session that exists ([MS-SMB2] 3.3.5.5.2).
    #[serde(default, skip_serializing_if = "is_false")]
    pub binding: bool,
    /// A session that exists proved itself again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub renewed: bool,
    /// `PreviousSessionId`: the session that this one replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<u64>,
    /// SMB 1: what the client says about itself and shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smb1: Option<Box<Smb1Client>>,
    /// The server's NTSTATUS, where it refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u32>,
}

/// What a client of SMB 1 says about itself when it logs on ([MS-CIFS] 2.2.4.53.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Smb1Client {
    /// `NativeOS`
    pub native_os: Box<str>,
    /// `NativeLanMan`
    pub native_lan_man: Box<str>,
    /// An LM response was sent. Neither response is kept.
    #[serde(default, skip_serializing_if = "is_false")]
    pub lm_response: bool,
    /// An NT response was sent.
    #[serde(default, skip_serializing_if = "is_false")]
    pub nt_response: bool,
}

/// Encrypted messages of one session ([MS-SMB2] 2.2.41): how many and how long, for nobody else can
/// read them. Told when the session ends, and once before when it lasts longer than a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// `SessionId`
    pub session: u64,
    /// Messages from the client.
    pub requests: u64,
    /// Their bytes.
    pub request_bytes: u64,
    /// Messages from the server.
    pub responses: u64,
    /// Their bytes.
    pub response_bytes: u64,
    /// The session goes on.
    #[serde(default, skip_serializing_if = "is_false")]
    pub open: bool,
    /// It was told before, when the session went on: these are all its messages.
    #[serde(default, skip_serializing_if = "is_false")]
    pub again: bool,
}

/// The header of a compressed message ([MS-SMB2] 2.2.42): the first on a connection, and each that
/// contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compressed {
    /// The server sent it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub from_server: bool,
    /// `OriginalCompressedSegmentSize`, bytes.
    pub original_size: u32,
    /// `Offset` of the compressed segment, or `Length` of the first payload of a chain.
    pub offset: u32,
    /// `CompressionAlgorithm`
    pub algorithm: u16,
    /// The payloads form a chain.
    #[serde(default, skip_serializing_if = "is_false")]
    pub chained: bool,
    /// Bytes behind the header.
    pub length: u32,
    /// Whether compression was agreed on; `None` if the negotiation was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negotiated: Option<bool>,
    /// The sum of both sizes overflows, or the offset lies outside (CVE-2020-0796).
    #[serde(default, skip_serializing_if = "is_false")]
    pub contradictory: bool,
}

impl fmt::Display for NetbiosSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "netbios session of {} with {}",
            self.calling, self.called
        )
    }
}

impl fmt::Display for Negotiate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.chosen {
            Some(dialect) => write!(f, "smb dialect {dialect} negotiated"),
            None => write!(f, "smb dialect of {} asked for", self.offered.join(", ")),
        }
    }
}

impl fmt::Display for SessionSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self { null: true, .. } => "null session",
            Self { guest: true, .. } => "session as guest",
            Self { binding: true, .. } => "session on a further connection",
            _ => "session",
        };
        write!(f, "smb {what}")?;
        status(f, self.status)
    }
}

impl fmt::Display for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "smb encrypted: {} bytes sent, {} received",
            self.request_bytes, self.response_bytes
        )
    }
}

impl fmt::Display for Compressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "smb compressed message of {} bytes", self.length)
    }
}
