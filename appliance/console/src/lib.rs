//! The Goshawk console: the service that sensors report to.
//!
//! [`ingest`] takes alerts and health from sensors over QUIC; [`store`] keeps them in one SQLite
//! file and acknowledges nothing before it is committed; [`portal`] shows them over HTTPS.
//! [`pki`] is the console's own certificate authority, [`enrollment`] the tokens that let a new
//! sensor in, [`service`] the daemon that holds all of it together and [`cli`] the command line.
//!
//! The command line's verbs and the running service meet in the store alone: SQLite's
//! write-ahead log lets both work on one database, so `goshawk-console revoke` needs no socket
//! to the service, and works when the service does not run.

#![forbid(unsafe_code)]

pub mod cli;
pub mod clock;
pub mod config;
pub mod data;
pub mod enrollment;
pub mod error;
pub mod ingest;
pub mod limit;
pub mod password;
pub mod pki;
pub mod portal;
pub mod secret;
pub mod service;
pub mod store;

pub use error::{Error, Result};
