//! A real domain on one machine.
pub mod accounts;
mod blank;
mod capture;
mod domain;
mod host;
mod lab;
pub mod labels;
mod namespace;
mod network;
mod record;
mod scene;
pub mod scenes;
mod spawner;
pub mod tools;

pub use blank::blank_sealed_replies;
pub use capture::{Capture, Packet};
pub use domain::Controller;
pub use host::{Host, PRIVATE};
pub use lab::{ATTACKER, CONSOLE, DC1, DC2, Lab, WS1, WS2};
pub use labels::{ExpectedAlert, Label, Labels};
pub use namespace::Namespace;
pub use network::{BRIDGE, INTERFACE, Network};
pub use record::{Recorder, record};
pub use scene::{Expected, Nature, Package, Scene, Tool};

/// The lab's Kerberos realm, under a reserved top-level domain (RFC 2606).
pub const REALM: &str = "HAWK.EXAMPLE";
