//! What is done over SMB: files, pipes, shares and the sessions they are used in ([MS-SMB2],
//! [MS-CIFS], [MS-SMB]).

mod connection;
mod file;
mod transaction;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use connection::{
    Compressed, Negotiate, NetbiosSession, Sealed, SessionSetup, Smb1Client, Terms,
};
pub use file::{CreateAction, Disposition, FileAccess, Ioctl, Share, ShareType, TreeConnect};
pub use transaction::Transaction;

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

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Why the server refused, behind what it refused.
fn status(f: &mut fmt::Formatter<'_>, status: Option<u32>) -> fmt::Result {
    match status {
        Some(status) => write!(f, " ({status:#010x})"),
        None => Ok(()),
    }
}
