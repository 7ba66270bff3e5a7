//! How a sensor is doing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What a sensor says of itself, for `status` and the portal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SensorHealth {
    /// The sensor's name.
    pub sensor: String,
    /// Its build, `0.1.0`.
    pub build: String,
    /// When this was written, by the sensor's clock.
    pub time: Timestamp,
    /// When the sensor started.
    pub started: Timestamp,
    /// Where and how it captures.
    pub capture: CaptureHealth,
    /// What was lost, by reason, since the start.
    pub drops: Drops,
    /// Packets decoded since the start.
    pub packets: u64,
    /// Activities since the start.
    pub activities: u64,
    /// Alerts raised since the start.
    pub alerts: u64,
    /// Messages per protocol since the start.
    pub messages: BTreeMap<String, u64>,
    /// Items in the spool that the console has not acknowledged.
    pub spooled: u64,
    /// Whether the console is connected; `None` without one.
    pub console: Option<bool>,
    /// What is wrong now, one clear line each; empty when all is well.
    pub problems: Vec<String>,
    /// Baselines that are still being learned: what, and until when.
    pub learning: Vec<(String, Timestamp)>,
}

impl SensorHealth {
    /// Of a sensor that has only just begun.
    pub fn starting(sensor: &str, started: Timestamp) -> Self {
        Self {
            sensor: sensor.to_owned(),
            build: env!("CARGO_PKG_VERSION").to_owned(),
            time: started,
            started,
            ..Self::default()
        }
    }
}

/// Where and how packets are captured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CaptureHealth {
    /// `host`, `gateway` or `tap`.
    pub mode: String,
    /// One line an attachment: `eth0 ingress: native XDP`.
    pub attachments: Vec<String>,
    /// Packets that the kernel kept, since the decoder had said that it needs no more of their
    /// connections.
    pub shunted: u64,
}

/// Losses by reason. A reason that never occurred is absent.
pub type Drops = BTreeMap<String, u64>;
