//! A sensor of its own: its own configuration, state and socket.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::programs::{Place, Programs, Running, Said};
use crate::wait::eventually;

/// A sensor's folder: configuration, state, socket, log. Nothing runs yet.
#[derive(Clone, Debug)]
pub struct Sensor {
    programs: Programs,
    folder: PathBuf,
}

/// A sensor that runs. It ends with this value.
#[derive(Debug)]
pub struct RunningSensor {
    sensor: Sensor,
    running: Running,
}

/// How long a start may take: loading, verifying, attaching.
const START: Duration = Duration::from_secs(30);

impl Sensor {
    /// Writes a configuration in `folder`. `tables` are TOML beside what places state and socket
    /// there.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn new(programs: &Programs, folder: &Path, name: &str, tables: &str) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let sensor = Self {
            programs: programs.clone(),
            folder: folder.to_owned(),
        };
        sensor.configure(name, tables)?;
        Ok(sensor)
    }

    /// Writes the configuration anew.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn configure(&self, name: &str, tables: &str) -> Result<()> {
        let folder = self.folder.display();
        let own = format!(
            "[sensor]\nname = \"{name}\"\nuser = \"\"\nstate_dir = \"{folder}/state\"\n\
             socket = \"{folder}/status.sock\"\n"
        );
        fs::write(self.config(), format!("{own}{tables}")).context("cannot write sensor.toml")
    }

    /// The configuration's path.
    pub fn config(&self) -> PathBuf {
        self.folder.join("sensor.toml")
    }

    /// The state's folder.
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Runs a verb to its end.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn verb(&self, place: Place<'_>, verb: &str, arguments: &[&str]) -> Result<Said> {
        let mut command = self.programs.sensor();
        command
            .arg(verb)
            .arg("--config")
            .arg(self.config())
            .args(arguments);
        place.run(command)
    }

    /// Enrolls with the console that made the token.
    ///
    /// # Errors
    /// If the console refuses.
    pub fn enroll(&self, place: Place<'_>, token: &str) -> Result<()> {
        self.verb(place, "enroll", &[token])?.well().map(drop)
    }

    /// Starts it, and waits until it watches.
    ///
    /// # Errors
    /// If it does not start; shows what it said.
    pub fn start(&self, place: Place<'_>) -> Result<RunningSensor> {
        self.start_with(place, &[])
    }

    /// Starts it with these environment variables, and waits until it watches.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with(
        &self,
        place: Place<'_>,
        variables: &[(&str, &Path)],
    ) -> Result<RunningSensor> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("sensor.log"))?;
        let mut command = self.programs.sensor();
        command
            .arg("run")
            .arg("--config")
            .arg(self.config())
            .stdout(log.try_clone()?)
            .stderr(log);
        command.envs(variables.iter().copied());
        let mut running = Running::new(place.spawn(command)?);
        eventually("the sensor watches", START, || {
            let ended = running.child().try_wait().ok().flatten().is_some();
            let watches = self
                .verb(Place::Here, "status", &["--json"])
                .is_ok_and(|said| said.status < 2);
            (ended || watches).then_some(())
        })
        .with_context(|| self.log())?;
        if let Some(status) = running.child().try_wait()? {
            bail!("the sensor ended with {status}: {}", self.log());
        }
        Ok(RunningSensor {
            sensor: self.clone(),
            running,
        })
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("sensor.log")).unwrap_or_default()
    }

    /// The alerts in its spool, each in its latest state.
    ///
    /// # Errors
    /// If there is no spool.
    pub fn alerts(&self) -> Result<Vec<Value>> {
        let text = self.verb(Place::Here, "alerts", &["--json"])?.well()?;
        text.lines()
            .map(|line| Ok(serde_json::from_str(line)?))
            .collect()
    }

    /// The alerts of one kind.
    ///
    /// # Errors
    /// As [`alerts`](Self::alerts).
    pub fn alerts_of(&self, external_id: u16) -> Result<Vec<Value>> {
        let mut alerts = self.alerts()?;
        alerts.retain(|alert| alert["externalId"] == external_id);
        Ok(alerts)
    }

    /// What it says of itself.
    ///
    /// # Errors
    /// If it does not run.
    pub fn status(&self) -> Result<Value> {
        let said = self.verb(Place::Here, "status", &["--json"])?;
        serde_json::from_str(&said.out).with_context(|| format!("no status: {said:?}"))
    }
}

impl RunningSensor {
    /// The process.
    pub fn running(&mut self) -> &mut Running {
        &mut self.running
    }

    /// Stops it with SIGTERM; how long that took.
    ///
    /// # Errors
    /// If it ends badly.
    pub fn stop(mut self) -> Result<Duration> {
        let began = Instant::now();
        self.running.signal(Signal::SIGTERM)?;
        let status = self.running.child().wait()?;
        if !status.success() {
            bail!("the sensor ended with {status}: {}", self.sensor.log());
        }
        Ok(began.elapsed())
    }

    /// Kills it with SIGKILL.
    ///
    /// # Errors
    /// If it is gone already.
    pub fn kill(mut self) -> Result<()> {
        self.running.child().kill()?;
        self.running.child().wait()?;
        Ok(())
    }
}
