//! What the bytes of a flow mean: one folder for each protocol.

#[cfg(test)]
mod bench;
mod context;
mod conversation;
pub(crate) mod dcerpc;
pub(crate) mod dns;
mod few;
mod http;
pub(crate) mod kerberos;
mod ldap;
mod netbios;
mod recognise;
mod security;
mod session;
mod smb;
mod smb1;
mod smb2;
mod sntp;
mod waiting;

pub(crate) use crate::flow::stream::Verdict;
#[cfg(test)]
pub(crate) use bench::Bench;
pub(crate) use context::{Context, Draft, Fingerprint, Moment, Sensor};
pub(crate) use conversation::Conversation;
pub(crate) use few::Few;
pub(crate) use recognise::{DatagramProtocol, datagram};
pub(crate) use session::{Reading, Session};
pub(crate) use waiting::{Entry, Fingerprints, Question, Waiting};
