//! The engine's settings, out of the sensor's configuration.

use std::net::IpAddr;
use std::sync::Arc;

use goshawk_detect::{Exclusion, Learning, Settings};

use crate::config::Config;

/// For a replay: a recording has no past to learn from, so learning is off unless asked for.
pub fn for_replay(config: &Config, sensor: &Arc<str>) -> Settings {
    settings(config, sensor, Vec::new(), false)
}

/// For a live sensor on a machine with these addresses, which are a controller's in host mode.
pub fn for_live(config: &Config, sensor: &Arc<str>, own_addresses: Vec<IpAddr>) -> Settings {
    settings(config, sensor, own_addresses, true)
}

fn settings(
    config: &Config,
    sensor: &Arc<str>,
    own_addresses: Vec<IpAddr>,
    learn: bool,
) -> Settings {
    let exclusions = config.exclude.iter().map(|exclude| Exclusion {
        detection: exclude.detection,
        source: exclude.source.as_ref().map(|place| place.0.clone()),
        account: exclude.account.clone(),
        until: exclude.until.map(|moment| moment.0),
        reason: exclude.reason.clone(),
    });
    Settings {
        sensor: Arc::clone(sensor),
        controllers: config.domain.controllers.clone(),
        own_addresses,
        honeytokens: config.domain.honeytokens.clone(),
        sensitive: config.domain.sensitive.clone(),
        policy: config.domain.policy(),
        learning: Learning {
            enabled: config.learning.enabled.unwrap_or(learn),
        },
        exclusions: exclusions.collect(),
        ..Settings::default()
    }
}
