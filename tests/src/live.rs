//! A real domain watched from two places at once: by a sensor in host mode on the controller, which
//! reports to a console, and by one in tap mode behind a port that the network mirrors to.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use goshawk_lab::accounts::DECOY;
use goshawk_lab::{DC1, DC2, ExpectedAlert, INTERFACE, Lab, Namespace, Scene, scene};
use serde_json::Value;

use crate::console::Console;
use crate::finding::{Finding, is_due};
use crate::portal::Portal;
use crate::programs::{Place, Programs};
use crate::sensor::{RunningSensor, Sensor};

/// A day in the domain: a morning, an intruder, and an afternoon in which a controller is added.
pub const STORY: &[&str] = &[
    "logons",
    "mistyped-passwords",
    "terminal-server",
    "logon-smart-card",
    "group-policy",
    "smb-files",
    "delegation",
    "enum-nmap",
    "spray-kinit",
    "asrep-roast-getnpusers",
    "kerberoast-kvno",
    "dcsync-secretsdump",
    "dcsync-kerberos",
    "ldap-signed",
    "admin-ldap",
    "admin-rpc",
    "password-changes",
    "dns-updates",
    "join-adcli",
    "logons-winbind",
    "controller-join",
    "replication",
];

/// Exposure is no attack: a sensor waits ten minutes whether it turns out to be an intruder's own, and
/// the story is shorter.
const EXPOSURE: std::ops::RangeInclusive<u16> = 9030..=9035;
/// An alert says more when its attack has gone on: once a minute at most.
const LAST_WORD: Duration = Duration::from_secs(75);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The domain and its watchers. All of it ends with this value.
#[derive(Debug)]
pub struct Live {
    host: (Sensor, RunningSensor),
    tap: (Sensor, RunningSensor),
    portal: Portal,
    _console: Console,
    _mirror: Namespace,
    lab: Lab,
    due: Vec<ExpectedAlert>,
}

/// What the watchers found, side by side.
#[derive(Debug)]
pub struct Verdict {
    /// Each finding, with how many such alerts there are in host mode and in tap mode.
    pub findings: Vec<(Finding, usize, usize)>,
    /// What is wrong, a line each.
    pub faults: Vec<String>,
}

impl Live {
    /// Brings up the domain and its watchers, whose files lie in `folder`.
    ///
    /// # Errors
    /// If any of them does not start.
    pub fn begin(programs: &Programs, folder: &Path) -> Result<Self> {
        let lab = Lab::new()?;
        let mirror = lab.network().mirror()?;
        let dc1 = Place::In(lab.host("dc1")?.namespace());
        let console = Console::start(programs, dc1, &folder.join("console"))?;
        let sensor = |mode: &str| {
            let tables = format!(
                "[capture]\nmode = \"{mode}\"\ninterfaces = [\"{INTERFACE}\"]\n[domain]\n\
                 controllers = [\"{DC1}\", \"{DC2}\"]\nhoneytokens = [\"{DECOY}\"]\n"
            );
            Sensor::new(programs, &folder.join(mode), mode, &tables)
        };
        let (host, tap) = (sensor("host")?, sensor("tap")?);
        host.enroll(dc1, &console.token(&[])?)?;
        let host = (host.clone(), host.start(dc1)?);
        let tap = (tap.clone(), tap.start(Place::In(&mirror))?);
        let portal = console.sign_in(dc1)?;
        Ok(Self {
            host,
            tap,
            portal,
            _console: console,
            _mirror: mirror,
            lab,
            due: Vec::new(),
        })
    }

    /// Lets a scene happen.
    ///
    /// # Errors
    /// If it fails.
    pub fn play(&mut self, name: &str) -> Result<Scene> {
        let scene = scene::find(name)?;
        scene.prepare(&mut self.lab)?;
        scene.play(&mut self.lab)?;
        self.due.extend(scene.script.expected.iter().cloned());
        Ok(scene)
    }

    /// What a sensor says of itself: in host mode, in tap mode.
    ///
    /// # Errors
    /// If one does not run.
    pub fn status(&self) -> Result<[Value; 2]> {
        Ok([self.host.0.status()?, self.tap.0.status()?])
    }

    /// What was found, as soon as nothing is wrong with it or the last word has been said.
    ///
    /// # Errors
    /// If a sensor or the console does not answer.
    pub fn verdict(&self) -> Result<Verdict> {
        let began = Instant::now();
        loop {
            let verdict = self.look()?;
            if verdict.holds() || began.elapsed() > LAST_WORD {
                return Ok(verdict);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn look(&self) -> Result<Verdict> {
        let (host, tap) = (self.host.0.alerts()?, self.tap.0.alerts()?);
        let dc1 = Place::In(self.lab.host("dc1")?.namespace());
        let kept = dc1.inside(|| self.portal.alerts())?;
        let mut faults = Vec::new();
        for alert in &host {
            if !kept.iter().any(|one| one["id"] == alert["id"]) {
                faults.push(format!("not at the console: {}", alert["summary"]));
            }
        }
        for (mode, alerts) in [("host", &host), ("tap", &tap)] {
            for due in self
                .due
                .iter()
                .filter(|due| !EXPOSURE.contains(&due.external_id))
            {
                if !alerts.iter().any(|alert| is_due(alert, due)) {
                    faults.push(format!("not found in {mode} mode: {due:?}"));
                }
            }
        }
        let findings = side_by_side(&host, &tap);
        for (finding, host, tap) in &findings {
            if host != tap && !is_own(finding) {
                faults.push(format!(
                    "{host} in host mode, {tap} in tap mode: {finding:?}"
                ));
            }
            let named = |due: &ExpectedAlert| u64::from(due.external_id) == finding.external_id;
            if !self.due.iter().any(named) {
                faults.push(format!("a false alarm: {finding:?}"));
            }
        }
        Ok(Verdict { findings, faults })
    }
}

/// Every finding, with how often it is among the ones and the others.
fn side_by_side(host: &[Value], tap: &[Value]) -> Vec<(Finding, usize, usize)> {
    let mut counts: BTreeMap<Finding, (usize, usize)> = BTreeMap::new();
    for alert in host {
        counts.entry(alert.into()).or_default().0 += 1;
    }
    for alert in tap {
        counts.entry(alert.into()).or_default().1 += 1;
    }
    counts
        .into_iter()
        .map(|(finding, (host, tap))| (finding, host, tap))
        .collect()
}

/// Whether somebody acts from the controller itself: such packets travel over its loopback, which no
/// mirror port sees.
fn is_own(finding: &Finding) -> bool {
    finding
        .address
        .is_some_and(|from| from.is_loopback() || from == IpAddr::V4(DC1))
}

impl Verdict {
    /// Whether both sensors found the same: all that was due, and nothing else.
    pub fn holds(&self) -> bool {
        self.faults.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = |count: &usize| match count {
            0 => "✗".to_owned(),
            1 => "✓".to_owned(),
            more => more.to_string(),
        };
        writeln!(
            f,
            "{:<5} {:<56} {:<8} {:>4} {:>4}",
            "alert", "what", "severity", "host", "tap"
        )?;
        for (finding, host, tap) in &self.findings {
            writeln!(
                f,
                "{:<5} {:<56} {:<8} {:>4} {:>4}",
                finding.external_id,
                finding.title,
                finding.severity,
                mark(host),
                mark(tap)
            )?;
            let by = finding.account.as_deref().unwrap_or("somebody");
            let from = finding.address.map(|ip| ip.to_string());
            let from = from.as_deref().unwrap_or("an unknown address");
            writeln!(f, "      {by} at {from}")?;
            writeln!(f, "      → {}", shortened(finding))?;
        }
        for fault in &self.faults {
            writeln!(f, "✗ {fault}")?;
        }
        Ok(())
    }
}

/// The first targets, and how many more there are.
fn shortened(finding: &Finding) -> String {
    let first: Vec<&str> = finding.targets.iter().take(3).map(String::as_str).collect();
    let more = finding.targets.len() - first.len();
    match more {
        0 => first.join(", "),
        _ => format!("{} and {more} more", first.join(", ")),
    }
}
