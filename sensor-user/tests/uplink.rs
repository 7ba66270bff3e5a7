//! The uplink against a console made for it: enrollment, delivery, faults, a full disk.

#![expect(
    clippy::unwrap_used,
    reason = "the console for tests is no test itself, but what fails there fails one"
)]

#[path = "uplink/console.rs"]
mod console;
#[path = "uplink/delivery.rs"]
mod delivery;
#[path = "uplink/enrollment.rs"]
mod enrollment;
#[path = "uplink/full_disk.rs"]
mod full_disk;
#[path = "../src/uplink/spool/samples.rs"]
mod samples;

use samples::alert;
