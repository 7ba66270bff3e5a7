//! SMB 1 ([MS-CIFS], [MS-SMB]): what the bytes of a message say.
//!
//! Read are what names somebody or something, what carries a pipe's bytes, and the transactions
//! that exploits are made of.

mod answer;
mod block;
mod dialogue;
mod file;
mod header;
mod negotiate;
mod request;
mod session;
mod strings;
mod transaction;
mod wanted;

pub(super) use dialogue::message;
