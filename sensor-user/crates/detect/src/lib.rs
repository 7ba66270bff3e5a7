//! Activities in, alerts out.
//!
//! [`Engine`] takes what happened on the wire, one [`Input`] after the other, and tells what it
//! found as [`Output`]s. It asks no clock, does no I/O and starts no thread: the same inputs give
//! the same alerts, in every run and on every machine.
//!
//! Inside, an input passes four rooms:
//!
//! 1. `clock` turns the stamps of packets into a time that never runs backwards;
//! 2. `knowledge` remembers what several detections need: who owns a ticket, what a machine is
//!    called, which machines are domain controllers;
//! 3. `detections` hold one rule each: a declarative [`Description`] beside a small state machine;
//! 4. `campaign` groups what a rule found, so that an attack of ten thousand packets is one alert.

#![forbid(unsafe_code)]

#[cfg(test)]
mod build;
mod campaign;
mod clock;
mod description;
mod detections;
mod engine;
mod exclusion;
mod kinds;
mod knowledge;
mod scene;
mod settings;
mod snapshot;
mod table;
#[cfg(test)]
mod tests;
mod words;

pub use campaign::CampaignStats;
pub use description::Description;
pub use engine::{Engine, Input, Output, Stats};
pub use exclusion::{Exclusion, Place, PlaceError};
pub use settings::{Learning, Limits, Policy, Settings};
pub use snapshot::RestoreError;
pub use table::TableStats;
