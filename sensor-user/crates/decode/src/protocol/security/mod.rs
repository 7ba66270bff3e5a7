//! Authentication, whatever carries it: security tokens unwrapped, and what they show.
//!
//! SMB, LDAP, DCE/RPC and HTTP hand the same tokens back and forth. Each keeps a [`Handshake`] and
//! feeds it; what it learned is in its credentials, and it emits what was tried.

mod gss;
mod handshake;
mod ntlm;

pub(crate) use handshake::{Ending, Handshake};
