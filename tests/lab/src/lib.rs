//! A real domain on one machine, and recordings of it.
//!
//! - [`Lab`] is a Samba domain whose hosts live in anonymous namespaces: attacks and ordinary life
//!   happen in it for real. A [`Scene`] is what may happen, one file each.
//! - [`record()`] captures a scene into `tests/captures`, where [`Labels`] say what it shows.
//! - [`Stage`] plays a recording across the interface of a stand-in controller, for a sensor to watch;
//!   [`compose()`] makes one large capture of many small ones, [`crowd()`] one of many
//!   connections open at once, for measuring.
//!
//! Everything dies with the process that made it, `kill -9` included, and nothing of it can be reached
//! from outside its namespaces.

pub mod accounts;
mod authority;
mod blank;
mod capture;
mod compose;
mod crowd;
pub mod day;
mod domain;
mod forward;
mod host;
mod lab;
pub mod labels;
mod link;
mod namespace;
mod network;
mod player;
mod record;
pub mod scene;
mod segment;
mod spawner;
pub mod tools;

pub use blank::blank_sealed_replies;
pub use capture::{Capture, Packet};
pub use compose::compose;
pub use crowd::crowd;
pub use domain::Controller;
pub use host::{Host, PRIVATE, Server};
pub use lab::{ATTACKER, CONSOLE, DC1, DC2, Lab, WS1, WS2, WS3};
pub use labels::{ExpectedAlert, Label, Labels};
pub use namespace::Namespace;
pub use network::{BRIDGE, INTERFACE, Network};
pub use player::{Pace, Played, STAGE_INTERFACE, Stage};
pub use record::{Recorder, record};
pub use scene::{Nature, Scene};
pub use segment::segment;

/// The lab's Kerberos realm, under a reserved top-level domain (RFC 2606).
pub const REALM: &str = "HAWK.EXAMPLE";
