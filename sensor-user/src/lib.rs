//! The Goshawk sensor: everything that touches the outside world.
//!
//! The sensor's mind is three crates without I/O: `goshawk-model`, `goshawk-decode` and
//! `goshawk-detect`. This crate gives them a body: packets from the kernel or from files, threads,
//! a clock, a configuration, a command line, a spool on disk and a line to the console.

pub mod alerts;
pub mod alerts_log;
pub mod capture;
pub mod cli;
pub mod config;
pub mod json;
pub mod keytab;
pub mod logging;
pub mod pipeline;
pub mod privilege;
pub mod replay;
pub mod run;
pub mod settings;
pub mod status;
pub mod text;
pub mod uplink;
