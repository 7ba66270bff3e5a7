//! SMB 2 and 3 ([MS-SMB2]): what the bytes of a command say.
//!
//! A frame holds one command or a compound of them. They are taken one after another, so that
//! neither a compound nor a payload of megabytes is ever held: of bulk data only the head is read.

mod answer;
mod dialogue;
mod file;
mod header;
mod ioctl;
mod negotiate;
mod request;
mod session;
mod transform;
mod wanted;

pub(super) use dialogue::Dialogue;
