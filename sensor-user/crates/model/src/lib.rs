//! The words that sensor and console share.
//!
//! What is seen on the wire becomes an [`Activity`]; what a detection finds in activities becomes
//! an [`Alert`]; both cross to the console in [`frame`]s. This crate owns their shape, the
//! normal form of names ([`Account`]) and the arithmetic of time ([`Timestamp`]). It does no I/O,
//! asks no clock and starts no thread.

#![forbid(unsafe_code)]

mod account;
mod activity;
mod alert;
mod certificate;
mod credentials;
mod digest;
pub mod dns;
pub mod frame;
mod health;
pub mod http;
pub mod inventory;
pub mod kerberos;
pub mod ldap;
mod negotiation;
pub mod netbios;
pub mod ntlm;
pub mod rpc;
pub mod smb;
pub mod sntp;
mod time;

pub use account::Account;
pub use activity::{
    Activity, ActivityId, Actor, Confidence, Coverage, Flow, Gap, GapReason, Host, Kind, Outcome,
    Transport,
};
pub use alert::{Alert, AlertId, Evidence, Party, Severity, Technique};
pub use certificate::{Certificate, KeyAlgorithm};
pub use credentials::{Carrier, Credentials, Mechanism, Status};
pub use digest::Digest;
pub use health::{CaptureHealth, Drops, SensorHealth};
pub use negotiation::{MechType, NegState, Negotiation};
pub use time::{ParseTimestampError, Timestamp};
