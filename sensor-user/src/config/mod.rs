//! The sensor's configuration: one TOML file, every key optional.
//!
//! The documented example is `appliance/config/sensor.toml`; a test reads every key in it
//! A key that does not exist is an error that names the nearest one that does.

mod unknown;

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use goshawk_decode::Tunnels;
use goshawk_model::{Account, Timestamp};
use serde::{Deserialize, Deserializer};

use crate::capture::attach::{Mode, Request};
use crate::capture::kernel;

/// Where the configuration is read from unless said otherwise.
pub const DEFAULT_PATH: &str = "/etc/goshawk/sensor.toml";

/// All of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The sensor itself.
    pub sensor: Sensor,
    /// Where it looks.
    pub capture: Capture,
    /// What it knows of the domain.
    pub domain: Domain,
    /// Baselines.
    pub learning: Learning,
    /// Where alerts go besides the console.
    pub output: Output,
    /// What is not worth an alert here.
    pub exclude: Vec<Exclude>,
}

/// `[sensor]`: the daemon.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sensor {
    /// The sensor's name; the machine's host name unless given.
    pub name: Option<String>,
    /// Where the spool, the snapshot and the console's papers live.
    pub state_dir: PathBuf,
    /// The Unix socket that answers `status`.
    pub socket: PathBuf,
    /// The user to become once the kernel program is attached; empty to stay who we are.
    pub user: String,
    /// What the log says: `error`, `warn`, `info`, `debug` or `trace`.
    pub log: LogLevel,
    /// The spool's size, MiB.
    pub spool_mib: u32,
}

/// `[capture]`: where packets come from.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Capture {
    /// On the domain controller, on a router, or behind a mirror port.
    pub mode: Mode,
    /// Their names, or `"auto"`: every interface that is up and has an address (host, gateway).
    pub interfaces: Interfaces,
    /// Ports always taken, besides what is recognised by content.
    pub ports: Option<Vec<u16>>,
    /// Threads that decode; as many as there are cores, at most four, unless given.
    pub workers: Option<u16>,
    /// The UDP port of the VXLAN tunnels that are looked into, behind a tap and in captures.
    pub vxlan_port: u16,
    /// Memory of each worker's ring, KiB; a power of two.
    pub ring_kib: u32,
    /// Whether the kernel keeps what the decoder needs no more: LDAPS, and what is no protocol of
    /// ours.
    pub shunt: bool,
    /// Whether generic XDP may be used where neither native XDP nor TC ingress can.
    pub allow_generic: bool,
    /// Whether tap mode may drop all traffic of an interface that has an address or a route.
    pub force_tap: bool,
}

/// `interfaces`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interfaces {
    /// `"auto"`.
    Auto,
    /// By name.
    Named(Vec<String>),
}

impl<'de> Deserialize<'de> for Interfaces {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected \"auto\" or a list of interface names")]
        enum Form {
            Word(String),
            List(Vec<String>),
        }
        match Form::deserialize(deserializer)? {
            Form::Word(word) if word == "auto" => Ok(Self::Auto),
            Form::Word(word) => Ok(Self::Named(vec![word])),
            Form::List(list) if list.is_empty() => Err(serde::de::Error::custom(
                "name at least one interface, or say \"auto\"",
            )),
            Form::List(list) => Ok(Self::Named(list)),
        }
    }
}

/// `[domain]`: what the sensor is told of the domain.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Domain {
    /// Addresses of the known domain controllers.
    pub controllers: Vec<IpAddr>,
    /// Accounts that nobody should use.
    pub honeytokens: Vec<Account>,
    /// Accounts that matter more, besides the built-in privileged names.
    pub sensitive: Vec<Account>,
    /// A file with keys that tickets are opened with.
    pub keytab: Option<PathBuf>,
    /// How long a Kerberos ticket lives, hours; learned from traffic unless given.
    pub ticket_hours: Option<u32>,
    /// For how long it can be renewed, days.
    pub renew_days: Option<u32>,
    /// After how many wrong passwords an account is locked; 0: never. Learned from traffic unless given.
    pub lockout_after: Option<u32>,
    /// How long wrong passwords are counted together, minutes.
    pub lockout_minutes: Option<u32>,
}

impl Domain {
    /// The domain's policy, as far as it is said.
    pub fn policy(&self) -> goshawk_detect::Policy {
        const HOUR: Duration = Duration::from_secs(3600);
        goshawk_detect::Policy {
            ticket_age: self.ticket_hours.map(|hours| HOUR * hours),
            renew_age: self.renew_days.map(|days| HOUR * 24 * days),
            lockout_after: self.lockout_after,
            lockout_window: self.lockout_minutes.map(|minutes| HOUR / 60 * minutes),
        }
    }

    fn validate(&self) -> Result<(), String> {
        if self
            .ticket_hours
            .is_some_and(|hours| !(1..=8784).contains(&hours))
        {
            return Err("domain.ticket_hours: between 1 and 8784".to_owned());
        }
        if self
            .renew_days
            .is_some_and(|days| !(1..=366).contains(&days))
        {
            return Err("domain.renew_days: between 1 and 366".to_owned());
        }
        if self.lockout_after.is_some_and(|tries| tries > 999) {
            return Err("domain.lockout_after: between 0 and 999".to_owned());
        }
        if self
            .lockout_minutes
            .is_some_and(|minutes| !(1..=99_999).contains(&minutes))
        {
            return Err("domain.lockout_minutes: between 1 and 99999".to_owned());
        }
        Ok(())
    }
}

/// `[learning]`: whether findings that are relative to a baseline wait until there is one.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Learning {
    /// On when live and off in a replay, unless said.
    pub enabled: Option<bool>,
}

/// `[output]`: alerts for other programs on this machine.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Output {
    /// A file that gets each alert as a line of JSON.
    pub json: Option<PathBuf>,
}

/// `[[exclude]]`: what is not worth an alert here. All that is given must match.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclude {
    /// The kind of alert, by its number.
    pub detection: Option<u16>,
    /// Where it comes from: an address, a network or a machine's name.
    pub source: Option<Place>,
    /// The account that acts.
    pub account: Option<Account>,
    /// When this exception ends.
    pub until: Option<Moment>,
    /// Why: for whoever reads this in a year.
    #[serde(default)]
    pub reason: String,
}

/// An address, a network or a machine's name.
#[derive(Clone, Debug)]
pub struct Place(pub goshawk_detect::Place);

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// A moment, as TOML's own date and time or as RFC 3339 text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Toml(toml::value::Datetime),
            Text(String),
        }
        let text = match Form::deserialize(deserializer)? {
            Form::Toml(time) if time.time.is_none() => format!("{time}T00:00:00Z"),
            Form::Toml(time) if time.offset.is_none() => format!("{time}Z"),
            Form::Toml(time) => time.to_string(),
            Form::Text(text) if text.len() == "2026-12-31".len() => format!("{text}T00:00:00Z"),
            Form::Text(text) => text,
        };
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// What the log says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What failed.
    Error,
    /// And what is odd.
    Warn,
    /// And what happens.
    #[default]
    Info,
    /// And how.
    Debug,
    /// And every step.
    Trace,
}

impl LogLevel {
    /// As the log's filter reads it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl Default for Sensor {
    fn default() -> Self {
        Self {
            name: None,
            state_dir: "/var/lib/goshawk-sensor".into(),
            socket: "/run/goshawk-sensor/status.sock".into(),
            user: "goshawk-sensor".into(),
            log: LogLevel::default(),
            spool_mib: 256,
        }
    }
}

impl Default for Capture {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            interfaces: Interfaces::Auto,
            ports: None,
            workers: None,
            vxlan_port: Tunnels::VXLAN_PORT,
            ring_kib: 8192,
            shunt: true,
            allow_generic: false,
            force_tap: false,
        }
    }
}

/// What is wrong with a configuration, in one line.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{}: {cause}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// It does not say what it should.
    #[error("{place}: {why}")]
    Invalid {
        /// File, line and column.
        place: String,
        /// What is wrong there, and what would be right.
        why: String,
    },
}

impl Config {
    /// Reads the file at `path`; with no path, [`DEFAULT_PATH`] if it is there, else the defaults.
    ///
    /// # Errors
    /// If the file cannot be read, or is not what it should be.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let (path, required) = path.map_or((Path::new(DEFAULT_PATH), false), |path| (path, true));
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, &path.display().to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => {
                Ok(Self::default())
            }
            Err(cause) => Err(ConfigError::Io {
                path: path.to_owned(),
                cause,
            }),
        }
    }

    /// Reads `text`; `name` is for messages.
    ///
    /// # Errors
    /// If it is not TOML, holds a key that does not exist, or a value that cannot be.
    pub fn parse(text: &str, name: &str) -> Result<Self, ConfigError> {
        let config: Self =
            toml::from_str(text).map_err(|error| unknown::explain(text, name, &error))?;
        config.validate().map_err(|why| ConfigError::Invalid {
            place: name.to_owned(),
            why,
        })?;
        Ok(config)
    }

    /// The sensor's name: configured, or the machine's host name without its domain.
    pub fn sensor_name(&self) -> String {
        self.sensor.name.clone().unwrap_or_else(|| {
            let host = nix::unistd::gethostname().unwrap_or_default();
            let host = host.to_string_lossy();
            let short = host.split('.').next().unwrap_or_default();
            if short.is_empty() {
                "sensor".to_owned()
            } else {
                short.to_lowercase()
            }
        })
    }

    /// The keys by which `new` differs from this and which a running sensor cannot take over.
    pub fn needs_restart(&self, new: &Self) -> Vec<&'static str> {
        let Sensor {
            name,
            state_dir,
            socket,
            user,
            log: _,
            spool_mib,
        } = &self.sensor;
        let Capture {
            mode,
            interfaces,
            ports,
            workers,
            vxlan_port,
            ring_kib,
            shunt,
            allow_generic,
            force_tap,
        } = &self.capture;
        let compared = [
            ("sensor.name", *name != new.sensor.name),
            ("sensor.state_dir", *state_dir != new.sensor.state_dir),
            ("sensor.socket", *socket != new.sensor.socket),
            ("sensor.user", *user != new.sensor.user),
            ("sensor.spool_mib", *spool_mib != new.sensor.spool_mib),
            ("capture.mode", *mode != new.capture.mode),
            ("capture.interfaces", *interfaces != new.capture.interfaces),
            ("capture.ports", *ports != new.capture.ports),
            ("capture.workers", *workers != new.capture.workers),
            ("capture.vxlan_port", *vxlan_port != new.capture.vxlan_port),
            ("capture.ring_kib", *ring_kib != new.capture.ring_kib),
            ("capture.shunt", *shunt != new.capture.shunt),
            (
                "capture.allow_generic",
                *allow_generic != new.capture.allow_generic,
            ),
            ("capture.force_tap", *force_tap != new.capture.force_tap),
            ("output.json", self.output.json != new.output.json),
        ];
        compared
            .into_iter()
            .filter_map(|(key, differs)| differs.then_some(key))
            .collect()
    }

    /// What is to be attached.
    pub fn attach_request(&self) -> Request {
        let Capture {
            mode,
            interfaces,
            allow_generic,
            force_tap,
            ..
        } = &self.capture;
        Request {
            mode: *mode,
            interfaces: match interfaces {
                Interfaces::Auto => Vec::new(),
                Interfaces::Named(names) => names.clone(),
            },
            allow_generic: *allow_generic,
            force_tap: *force_tap,
        }
    }

    /// What the kernel program is told.
    pub fn kernel_settings(&self) -> kernel::Settings {
        let Capture {
            mode,
            ports,
            workers,
            ring_kib,
            shunt,
            ..
        } = &self.capture;
        let defaults = kernel::Settings::default();
        kernel::Settings {
            ports: ports
                .as_ref()
                .map_or(defaults.ports, |ports| ports.iter().copied().collect()),
            workers: workers.map_or(defaults.workers, u32::from),
            ring_bytes: ring_kib << 10,
            drop: *mode == Mode::Tap,
            vxlan_port: match self.live_tunnels() {
                Tunnels::Open { vxlan_port } => Some(vxlan_port),
                Tunnels::Closed => None,
            },
            shunt: *shunt,
        }
    }

    /// Whether a running sensor looks into tunnels: behind a tap alone.
    pub fn live_tunnels(&self) -> Tunnels {
        match self.capture.mode {
            Mode::Tap => self.tunnels_in_captures(),
            Mode::Host | Mode::Gateway => Tunnels::Closed,
        }
    }

    /// How a replay looks into tunnels; it cannot know where a capture is from.
    pub fn tunnels_in_captures(&self) -> Tunnels {
        Tunnels::Open {
            vxlan_port: self.capture.vxlan_port,
        }
    }

    fn validate(&self) -> Result<(), String> {
        let Capture {
            workers,
            ring_kib,
            ports,
            ..
        } = &self.capture;
        if workers.is_some_and(|workers| !(1..=64).contains(&workers)) {
            return Err("capture.workers: between 1 and 64".to_owned());
        }
        if !ring_kib.is_power_of_two() || !(2048..=1 << 20).contains(ring_kib) {
            return Err("capture.ring_kib: a power of two between 2048 and 1048576".to_owned());
        }
        if ports
            .as_ref()
            .is_some_and(|ports| ports.is_empty() || ports.len() > 256)
        {
            return Err("capture.ports: between 1 and 256 ports".to_owned());
        }
        if !(8..=1 << 20).contains(&self.sensor.spool_mib) {
            return Err("sensor.spool_mib: between 8 and 1048576".to_owned());
        }
        self.domain.validate()?;
        let name = self.sensor_name();
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > 63 || !name.chars().all(fits) {
            return Err("sensor.name: 1 to 63 letters, digits, '-', '_' or '.'".to_owned());
        }
        if let Some(exclude) = self.exclude.iter().find(|exclude| exclude.is_empty()) {
            let why = "says neither detection, source nor account, and would hide every alert";
            return Err(format!("exclude ({}): {why}", exclude.reason));
        }
        Ok(())
    }
}

impl Exclude {
    fn is_empty(&self) -> bool {
        self.detection.is_none() && self.source.is_none() && self.account.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Config::parse(text, "sensor.toml").unwrap_err().to_string()
    }

    #[test]
    fn a_misspelt_key_names_the_nearest() {
        let text = "[domain]\ncontollers = []\n";
        assert_eq!(
            error(text),
            "sensor.toml:2:1: unknown key 'contollers'; did you mean 'controllers'?"
        );
        assert!(error("[capure]\n").contains("did you mean 'capture'?"));
    }

    #[test]
    fn a_key_like_no_other_lists_what_there_is() {
        assert!(error("[learning]\nzzz = 1\n").contains("known here: enabled"));
    }

    #[test]
    fn a_wrong_value_says_where_and_what_is_right() {
        let text = "[capture]\nmode = \"hots\"\n";
        assert_eq!(
            error(text),
            "sensor.toml:2:8: unknown value 'hots'; did you mean 'host'?"
        );
        assert!(error("[domain]\ncontrollers = [\"dc1\"]\n").starts_with("sensor.toml:2:"));
        assert!(error("[capture]\ninterfaces = []\n").contains("at least one interface"));
        assert!(error("[capture]\nworkers = 0\n").contains("between 1 and 64"));
        assert!(error("[domain]\nticket_hours = 0\n").contains("between 1 and 8784"));
        assert!(error("[domain]\nrenew_days = 1000\n").contains("between 1 and 366"));
        assert!(error("[domain]\nlockout_after = 1000\n").contains("between 0 and 999"));
        assert!(error("[domain]\nlockout_minutes = 0\n").contains("between 1 and 99999"));
        assert!(error("[capture\n").starts_with("sensor.toml:1:"));
    }

    #[test]
    fn an_exception_without_a_condition_is_refused() {
        assert!(error("[[exclude]]\nreason = \"x\"\n").contains("would hide every alert"));
    }

    #[test]
    fn an_exception_may_end_on_a_date() {
        for until in ["2026-12-31T00:00:00Z", "\"2026-12-31\"", "2026-12-31"] {
            let text = format!("[[exclude]]\ndetection = 2006\nuntil = {until}\nreason = \"x\"\n");
            let config = Config::parse(&text, "x").unwrap();
            assert_eq!(
                config.exclude[0].until.unwrap().0.to_string(),
                "2026-12-31T00:00:00.000000000Z"
            );
        }
    }

    #[test]
    fn every_key_of_the_example_exists() {
        let example = include_str!("../../../appliance/config/sensor.toml");
        Config::parse(example, "appliance/config/sensor.toml").unwrap();
        // Every key that the example shows commented out must exist too.
        let all: String = example
            .lines()
            .map(|line| line.strip_prefix("#:").unwrap_or(line).to_owned() + "\n")
            .collect();
        Config::parse(&all, "appliance/config/sensor.toml").unwrap();
    }
}
