//! What the end-to-end tests and the demo share: the real binaries, run as a person would run them.

mod console;
mod finding;
mod live;
mod portal;
mod programs;
mod replay;
mod sensor;
mod wait;

pub use console::Console;
pub use finding::{Finding, is_due};
pub use live::{Live, STORY, Verdict};
pub use portal::{PASSWORD, Portal};
pub use programs::{Place, Programs, Running, Said, run_sensor};
pub use replay::{Replayed, replay, replay_with};
pub use sensor::{RunningSensor, Sensor};
pub use wait::{eventually, holds_for};
