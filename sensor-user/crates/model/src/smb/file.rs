//! Shares, and the files and pipes on them.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{is_false, is_zero, status};

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
