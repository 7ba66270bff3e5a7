//! A console of its own: its own data, its own ports.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::portal::Portal;
use crate::programs::{Place, Programs, Running};
use crate::wait::eventually;

/// A running console. It ends with this value; its data stays as long as its folder.
#[derive(Debug)]
pub struct Console {
    programs: Programs,
    folder: PathBuf,
    running: Running,
    sensors: SocketAddr,
    portal: SocketAddr,
    password: Option<String>,
}

/// How long a start may take; the first makes keys and hashes a password.
const START: Duration = Duration::from_secs(30);

impl Console {
    /// Starts a console with its data in `folder`, on ports that the system gives.
    ///
    /// # Errors
    /// If it does not start; shows what it said.
    pub fn start(programs: &Programs, place: Place<'_>, folder: &Path) -> Result<Self> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::start_on(programs, place, folder, any, any)
    }

    /// Starts a console on these addresses.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_on(
        programs: &Programs,
        place: Place<'_>,
        folder: &Path,
        sensors: SocketAddr,
        portal: SocketAddr,
    ) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let said = folder.join("console.out");
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.join("console.log"))?;
        let mut command = programs.console();
        command
            .arg("run")
            .arg("--data")
            .arg(folder.join("data"))
            .args([
                "--listen",
                &sensors.to_string(),
                "--portal",
                &portal.to_string(),
            ])
            .stdout(File::create(&said)?)
            .stderr(Stdio::from(log));
        let running = Running::new(place.spawn(command)?);
        let greeting = eventually("the console's greeting", START, || {
            fs::read_to_string(&said)
                .ok()
                .filter(|text| text.contains("data "))
        })
        .with_context(|| fs::read_to_string(folder.join("console.log")).unwrap_or_default())?;
        // The password may follow the data directory by a line.
        std::thread::sleep(Duration::from_millis(50));
        let greeting = fs::read_to_string(&said).unwrap_or(greeting);
        let field = |name: &str| {
            greeting
                .lines()
                .find_map(|line| line.trim().strip_prefix(name))
                .map(str::trim)
        };
        let address = |text: Option<&str>| -> Result<SocketAddr> {
            let text = text.with_context(|| format!("no address in: {greeting}"))?;
            let text = text.trim_start_matches("https://").trim_end_matches('/');
            text.parse().with_context(|| format!("no address: {text}"))
        };
        Ok(Self {
            programs: programs.clone(),
            folder: folder.to_owned(),
            running,
            sensors: address(field("sensors").map(|text| text.trim_start_matches("UDP ")))?,
            portal: address(field("portal"))?,
            password: field("password").map(str::to_owned),
        })
    }

    /// Where sensors connect.
    pub fn sensors(&self) -> SocketAddr {
        self.sensors
    }

    /// Where the portal listens.
    pub fn portal(&self) -> SocketAddr {
        self.portal
    }

    /// The admin's one-time password, if this was the first start.
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// The process.
    pub fn running(&mut self) -> &mut Running {
        &mut self.running
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("console.log")).unwrap_or_default()
    }

    /// A token for one sensor, made by the command line beside the running console.
    ///
    /// # Errors
    /// If the command fails.
    pub fn token(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.programs.console();
        command
            .arg("token")
            .args(["--address", &self.sensors.to_string()]);
        command
            .arg("--data")
            .arg(self.folder.join("data"))
            .args(arguments);
        Ok(Place::Here.run(command)?.well()?.trim().to_owned())
    }

    /// Shuts a sensor out.
    ///
    /// # Errors
    /// If the command fails.
    pub fn revoke(&self, sensor: &str) -> Result<()> {
        let mut command = self.programs.console();
        command
            .args(["revoke", sensor])
            .arg("--data")
            .arg(self.folder.join("data"));
        Place::Here.run(command)?.well().map(drop)
    }

    /// Signs in to the portal as the admin, from `place`.
    ///
    /// # Errors
    /// If signing in fails.
    pub fn sign_in(&self, place: Place<'_>) -> Result<Portal> {
        let once = self
            .password()
            .context("the one-time password was printed at an earlier start")?;
        place.inside(|| Portal::first_sign_in(self.portal, once))
    }

    /// Kills it with SIGKILL and starts it again on the same ports.
    ///
    /// # Errors
    /// If it does not start again.
    pub fn kill_and_restart(self, place: Place<'_>) -> Result<Self> {
        let Self {
            programs,
            folder,
            mut running,
            sensors,
            portal,
            password,
        } = self;
        running.child().kill()?;
        running.child().wait()?;
        let mut again = Self::start_on(&programs, place, &folder, sensors, portal)?;
        again.password = again.password.or(password);
        Ok(again)
    }
}
