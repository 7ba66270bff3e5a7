//! The optional TOML configuration: what it may say, and clear words for what it may not.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use goshawk_model::frame;
use serde::Deserialize;
use toml::Table;

use crate::{Error, Result};

/// TCP port of the portal.
pub const PORTAL_PORT: u16 = 8443;

/// Every setting, each with a value that suits most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Where the console listens.
    pub listen: Listen,
    /// The web face.
    pub portal: Portal,
    /// What sensors are told.
    pub sensors: Sensors,
    /// How long findings are kept.
    pub retention: Retention,
    /// What is logged.
    pub log: Log,
}

/// `[listen]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Listen {
    /// UDP address for sensors.
    pub sensors: SocketAddr,
    /// TCP address for the portal.
    pub portal: SocketAddr,
}

/// `[portal]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Portal {
    /// Names and addresses in the portal's certificate, beside this machine's own.
    pub names: Vec<String>,
    /// Minutes without a click after which one must sign in again.
    pub idle_minutes: u64,
    /// Hours after which one must sign in again in any case.
    pub session_hours: u64,
}

/// `[sensors]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Sensors {
    /// `host:port` that enrollment tokens name; this machine's name and the port if absent.
    pub address: Option<String>,
}

/// `[retention]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Retention {
    /// Days for which an alert is kept after its last update.
    pub days: u64,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: Level,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Failures alone.
    Error,
    /// And what should be looked at.
    Warn,
    /// And what happens.
    #[default]
    Info,
    /// And how.
    Debug,
    /// And everything.
    Trace,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            sensors: SocketAddr::new(std::net::Ipv6Addr::UNSPECIFIED.into(), frame::PORT),
            portal: SocketAddr::new(std::net::Ipv6Addr::UNSPECIFIED.into(), PORTAL_PORT),
        }
    }
}

impl Default for Portal {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            idle_minutes: 30,
            session_hours: 12,
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { days: 400 }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: Level::Info }
    }
}

impl Level {
    /// As the log filter spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl Portal {
    /// [`Portal::idle_minutes`] as a length of time.
    pub const fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_minutes.saturating_mul(60))
    }

    /// [`Portal::session_hours`] as a length of time.
    pub const fn absolute(&self) -> Duration {
        Duration::from_secs(self.session_hours.saturating_mul(3600))
    }
}

impl Retention {
    /// [`Retention::days`] as a length of time.
    pub const fn length(&self) -> Duration {
        Duration::from_secs(self.days.saturating_mul(86_400))
    }
}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`Error::Configuration`] if it cannot be read, is not TOML, or says what it may not.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::Configuration(format!("cannot read {}: {error}", path.display()))
        })?;
        Self::parse(&text).map_err(|why| Error::Configuration(format!("{}: {why}", path.display())))
    }

    /// Reads TOML; what is wrong comes back as one line.
    ///
    /// # Errors
    /// If `text` is not TOML, has an unknown key or a value out of its bounds.
    pub fn parse(text: &str) -> Result<Self, String> {
        let table: Table = text.parse().map_err(|error| one_line(&error))?;
        check_keys(&table)?;
        let config: Self = toml::from_str(text).map_err(|error| one_line(&error))?;
        config.check_bounds()?;
        Ok(config)
    }

    fn check_bounds(&self) -> Result<(), String> {
        for (key, value, range) in [
            ("portal.idle_minutes", self.portal.idle_minutes, 1..=1440),
            ("portal.session_hours", self.portal.session_hours, 1..=168),
            ("retention.days", self.retention.days, 1..=3650),
        ] {
            if !range.contains(&value) {
                let (least, most) = range.into_inner();
                return Err(format!("{key} is {value}; it may be {least} to {most}"));
            }
        }
        if let Some(address) = &self.sensors.address {
            crate::enrollment::check_address(address)
                .map_err(|why| format!("sensors.address: {why}"))?;
        }
        Ok(())
    }
}

/// The keys that exist, by section. A test holds this against the types above.
const KEYS: &[(&str, &[&str])] = &[
    ("listen", &["sensors", "portal"]),
    ("portal", &["names", "idle_minutes", "session_hours"]),
    ("sensors", &["address"]),
    ("retention", &["days"]),
    ("log", &["level"]),
];

fn check_keys(table: &Table) -> Result<(), String> {
    for (section, value) in table {
        let Some((_, keys)) = KEYS.iter().find(|(name, _)| name == section) else {
            let known: Vec<_> = KEYS.iter().map(|(name, _)| *name).collect();
            return Err(unknown("section", section, &known));
        };
        let Some(section_table) = value.as_table() else {
            return Err(format!("'{section}' is a section: write [{section}]"));
        };
        for key in section_table.keys() {
            if !keys.contains(&key.as_str()) {
                return Err(unknown(&format!("key in [{section}]"), key, keys));
            }
        }
    }
    Ok(())
}

fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|one, other| one.0.total_cmp(&other.0));
    match nearest {
        Some((_, nearest)) => format!("unknown {what}: '{name}'; did you mean '{nearest}'?"),
        None => format!(
            "unknown {what}: '{name}'; it may be one of: {}",
            known.join(", ")
        ),
    }
}

/// TOML's own errors draw the line with a caret under it; a log wants one line.
fn one_line(error: &toml::de::Error) -> String {
    error.message().lines().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_needs_to_be_said() {
        assert_eq!(Config::parse(""), Ok(Config::default()));
    }

    #[test]
    fn the_documented_example_holds_the_defaults() {
        let example = include_str!("../../config/console.toml");
        assert_eq!(Config::parse(example), Ok(Config::default()));
        let all = uncommented(example);
        let config = Config::parse(&all).unwrap();
        assert!(config.sensors.address.is_some());
        let table: Table = all.parse().unwrap();
        for (section, keys) in KEYS {
            for key in *keys {
                assert!(
                    table[*section].as_table().unwrap().contains_key(*key),
                    "the example leaves out {section}.{key}"
                );
            }
        }
    }

    /// Settings that the example shows but leaves out are lines `#key = value`.
    fn uncommented(text: &str) -> String {
        text.lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => rest,
                _ => line,
            })
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn a_misspelt_key_names_the_nearest() {
        for (text, wanted) in [
            (
                "[lisen]",
                "unknown section: 'lisen'; did you mean 'listen'?",
            ),
            (
                "[portal]\nidle_minute = 3",
                "unknown key in [portal]: 'idle_minute'; did you mean 'idle_minutes'?",
            ),
            (
                "[log]\nxyz = 3",
                "unknown key in [log]: 'xyz'; it may be one of: level",
            ),
            ("portal = 3", "'portal' is a section: write [portal]"),
        ] {
            assert_eq!(Config::parse(text), Err(wanted.into()));
        }
    }

    #[test]
    fn wrong_values_are_one_line() {
        for text in [
            "[portal]\nidle_minutes = 0",
            "[portal]\nidle_minutes = \"x\"",
            "[log]\nlevel = \"loud\"",
            "[listen]\nportal = \"8443\"",
            "[sensors]\naddress = \"no port\"",
            "[listen",
        ] {
            let error = Config::parse(text).unwrap_err();
            assert!(!error.is_empty() && !error.contains('\n'), "{error}");
        }
    }
}
