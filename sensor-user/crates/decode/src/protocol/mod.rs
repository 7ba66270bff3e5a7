//! What the bytes of a flow mean: one folder for each protocol.

mod context;
pub(crate) mod dcerpc;
mod gss;
pub(crate) mod kerberos;
mod ntlm;
mod session;

pub(crate) use context::{Context, Draft, Moment};
pub(crate) use session::{Reading, Session};
