//! What is done over SMB: files, pipes, shares and the sessions they are used in ([MS-SMB2],
//! [MS-CIFS], [MS-SMB]).

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One thing done over SMB, whatever version.
///
/// Who did it is in the activity's credentials: those of the session it was done in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SmbOperation {
    /// A NetBIOS session was asked for.
    Netbios(NetbiosSession),
    /// A dialect was negotiated.
    Negotiate(Box<Negotiate>),
    /// Somebody logged on.
    Session(Box<SessionSetup>),
    /// A share was connected to.
    Tree(TreeConnect),
    /// A file, directory or pipe was used, from its opening to its closing.
    File(Box<FileAccess>),
    /// A control code was sent.
    Ioctl(Ioctl),
    /// SMB 1: a transaction that is no everyday use of a pipe or file.
    Transaction(Box<Transaction>),
    /// SMB 3: an encrypted session was used.
    Sealed(Sealed),
    /// SMB 3: a compressed message was sent.
    Compressed(Compressed),
}

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

/// A share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The server, as the client names it, lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Box<str>>,
    /// The share's name, as written; `None` if its connecting was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// What it offers, where known.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub share_type: Option<ShareType>,
}

/// What a share offers ([MS-SMB2] 2.2.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShareType {
    /// Files.
    Disk,
    /// Named pipes.
    Pipe,
    /// A printer.
    Print,
}

/// A share connected to ([MS-SMB2] 2.2.9 and 2.2.10, [MS-CIFS] 2.2.4.55).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeConnect {
    /// The share.
    pub share: Share,
    /// `TreeId`, or SMB 1's `TID`.
    pub tree: u32,
    /// `ShareFlags`
    #[serde(default, skip_serializing_if = "is_zero")]
    pub flags: u32,
    /// The server wants everything on this share encrypted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub encrypted: bool,
    /// The server's NTSTATUS, where it refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u32>,
}

/// A file, directory or pipe, from its opening to its closing.
///
/// A file is told once, when it is closed; one that stays open is told after a minute as it stands
/// then, and again when it is closed if more was done with it. A pipe is told when it is opened:
/// what travels on it becomes activities of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileAccess {
    /// Where it lies; `None` if the share's connecting was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Arc<Share>>,
    /// The path below the share, a kilobyte at most; of a pipe its name, lower case, without
    /// `\PIPE\`. `None` if its opening was not seen, empty for the share itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Box<str>>,
    /// It is a pipe.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pipe: bool,
    /// It is a directory.
    #[serde(default, skip_serializing_if = "is_false")]
    pub directory: bool,
    /// `DesiredAccess` ([MS-SMB2] 2.2.13.1).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub access: u32,
    /// `CreateDisposition`: what to do if it exists, and if not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposition: Option<Disposition>,
    /// `CreateOptions`: 1 directory, 0x1000 delete on close, 0x4000 with backup rights.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub options: u32,
    /// Names of the create contexts ([MS-SMB2] 2.2.13.2): `TWrp` opens a shadow copy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contexts: Vec<Box<str>>,
    /// What the server did when it was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<CreateAction>,
    /// Its size when it was opened, bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub size: u64,
    /// Bytes read from it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub read: u64,
    /// Bytes written to it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub written: u64,
    /// The pattern by which a directory was listed, `*`; the first one, if several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<Box<str>>,
    /// It was deleted, or will be when it is closed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deleted: bool,
    /// Its new name, where it was renamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_to: Option<Box<str>>,
    /// Its security descriptor was set.
    #[serde(default, skip_serializing_if = "is_false")]
    pub security_set: bool,
    /// It is open still.
    #[serde(default, skip_serializing_if = "is_false")]
    pub open: bool,
    /// It was told before, when it was open: this is all that was done with it since it was opened.
    #[serde(default, skip_serializing_if = "is_false")]
    pub again: bool,
    /// The server's NTSTATUS, where it refused to open it, or the first thing refused on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u32>,
}

/// `CreateDisposition`, [MS-SMB2] 2.2.13.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disposition {
    /// Replace or create it.
    Supersede,
    /// It must exist.
    Open,
    /// It must not exist.
    Create,
    /// Open or create it.
    OpenIf,
    /// It must exist and is emptied.
    Overwrite,
    /// Empty or create it.
    OverwriteIf,
}

/// `CreateAction`, [MS-SMB2] 2.2.14.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CreateAction {
    /// It existed and was replaced.
    Superseded,
    /// It existed.
    Opened,
    /// It did not exist.
    Created,
    /// It existed and was emptied.
    Overwritten,
}

/// A control code sent ([MS-SMB2] 2.2.31, [MS-FSCC] 2.3); those that only carry a pipe's bytes are
/// not told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ioctl {
    /// `CtlCode`
    pub code: u32,
    /// Its name, `FSCTL_SRV_COPYCHUNK`, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Cow<'static, str>>,
    /// The share it was sent to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Arc<Share>>,
    /// The path whose referral was asked for ([MS-DFSC] 2.2.2), or of the file it was sent to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Box<str>>,
    /// The server's NTSTATUS, where it refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u32>,
}

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

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl fmt::Display for SmbOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Netbios(it) => it.fmt(f),
            Self::Negotiate(it) => it.fmt(f),
            Self::Session(it) => it.fmt(f),
            Self::Tree(it) => it.fmt(f),
            Self::File(it) => it.fmt(f),
            Self::Ioctl(it) => it.fmt(f),
            Self::Transaction(it) => it.fmt(f),
            Self::Sealed(it) => it.fmt(f),
            Self::Compressed(it) => it.fmt(f),
        }
    }
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

impl fmt::Display for Share {
    /// As a UNC path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |part: &Option<Box<str>>| part.as_deref().unwrap_or("?").to_owned();
        write!(f, "\\\\{}\\{}", part(&self.server), part(&self.name))
    }
}

impl fmt::Display for TreeConnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "smb share {} connected", self.share)?;
        status(f, self.status)
    }
}

impl fmt::Display for FileAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self { pipe: true, .. } => "pipe",
            Self {
                directory: true, ..
            } => "directory",
            _ => "file",
        };
        write!(f, "smb {kind} ")?;
        if let (Some(share), false) = (&self.share, self.pipe) {
            write!(f, "{share}\\")?;
        }
        f.write_str(self.path.as_deref().unwrap_or("?"))?;
        match self.action {
            Some(CreateAction::Created) => f.write_str(" created")?,
            Some(CreateAction::Superseded | CreateAction::Overwritten) => {
                f.write_str(" overwritten")?;
            }
            Some(CreateAction::Opened) | None => f.write_str(" opened")?,
        }
        if self.read > 0 {
            write!(f, ", {} bytes read", self.read)?;
        }
        if self.written > 0 {
            write!(f, ", {} bytes written", self.written)?;
        }
        if let Some(pattern) = &self.listed {
            write!(f, ", listed by {pattern}")?;
        }
        if self.deleted {
            f.write_str(", deleted")?;
        }
        if let Some(name) = &self.renamed_to {
            write!(f, ", renamed to {name}")?;
        }
        status(f, self.status)
    }
}

impl fmt::Display for Ioctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "smb {name}")?,
            None => write!(f, "smb control code {:#010x}", self.code)?,
        }
        if let Some(path) = &self.path {
            write!(f, " {path}")?;
        }
        status(f, self.status)
    }
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

fn status(f: &mut fmt::Formatter<'_>, status: Option<u32>) -> fmt::Result {
    match status {
        Some(status) => write!(f, " ({status:#010x})"),
        None => Ok(()),
    }
}
