//! `status`: a Unix socket on which a running sensor says how it is.
//!
//! Whoever connects gets one line of JSON and the end of the stream. The socket is for the sensor's
//! user and group: health names interfaces and the console.

use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use goshawk_model::SensorHealth;
use tokio::sync::watch;

/// How long a caller may take to read its line, or a sensor to write it.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest answer that is read, bytes.
const MAX_ANSWER: u64 = 1 << 20;
/// The user and the group may ask.
const MODE: u32 = 0o660;

/// Answers until it is dropped.
pub struct Server {
    path: PathBuf,
}

impl Server {
    /// Listens at `path`; a socket that a killed sensor left there is replaced.
    ///
    /// # Errors
    /// If another sensor answers there, or the socket cannot be made.
    pub fn start(path: &Path, health: watch::Receiver<SensorHealth>) -> Result<Self> {
        let context = || format!("cannot answer `status` at {}", path.display());
        if UnixStream::connect(path).is_ok() {
            anyhow::bail!(
                "another sensor runs already: it answers at {}",
                path.display()
            );
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(context);
            }
            _ => {}
        }
        let listener = UnixListener::bind(path).with_context(context)?;
        fs::set_permissions(path, fs::Permissions::from_mode(MODE)).with_context(context)?;
        thread::Builder::new()
            .name("status".to_owned())
            .spawn(move || {
                for caller in listener.incoming().flatten() {
                    // A caller that hangs up has had enough.
                    let _ = answer(&caller, &health.borrow().clone());
                }
            })
            .with_context(context)?;
        Ok(Self {
            path: path.to_owned(),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone is as good as removed.
        let _ = fs::remove_file(&self.path);
    }
}

fn answer(mut caller: &UnixStream, health: &SensorHealth) -> io::Result<()> {
    caller.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(health)?;
    line.push(b'\n');
    caller.write_all(&line)
}

/// Asks the sensor at `path`; `None` if none runs there.
///
/// # Errors
/// If one runs but may not be asked, or answers nonsense.
pub fn query(path: &Path) -> Result<Option<SensorHealth>> {
    let caller = match UnixStream::connect(path) {
        Ok(caller) => caller,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => {
            return Err(error)
                .with_context(|| format!("cannot ask the sensor at {}", path.display()));
        }
    };
    caller.set_read_timeout(Some(PATIENCE))?;
    let mut text = String::new();
    caller.take(MAX_ANSWER).read_to_string(&mut text)?;
    let health =
        serde_json::from_str(&text).context("the sensor's answer is not what this build reads")?;
    Ok(Some(health))
}

/// Shows how the sensor at `path` is; the exit status is 0 well, 1 degraded, 3 not running.
///
/// # Errors
/// As [`query`]; or if standard output cannot be written.
pub fn show(path: &Path, json: bool) -> Result<u8> {
    let Some(health) = query(path)? else {
        eprintln!("not running: no sensor answers at {}", path.display());
        return Ok(3);
    };
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, &health)?;
        writeln!(out)?;
    } else {
        let colour = out.is_terminal();
        write_text(&mut out, &health, colour)?;
    }
    Ok(u8::from(!health.problems.is_empty()))
}

fn write_text(out: &mut impl Write, health: &SensorHealth, colour: bool) -> io::Result<()> {
    let (good, bad, off) = if colour {
        ("\x1b[32m", "\x1b[31m", "\x1b[0m")
    } else {
        ("", "", "")
    };
    let SensorHealth {
        sensor,
        build,
        capture,
        ..
    } = health;
    let up = health.time.since(health.started).as_secs();
    let (hours, minutes) = (up / 3600, up / 60 % 60);
    let state = match health.problems.len() {
        0 => format!("{good}well{off}"),
        _ => format!("{bad}degraded{off}"),
    };
    writeln!(
        out,
        "{sensor}: {state}, build {build}, up {hours} h {minutes} min"
    )?;
    for problem in &health.problems {
        writeln!(out, "  {bad}!{off} {problem}")?;
    }
    writeln!(out, "  watching    {} mode", capture.mode)?;
    for attachment in &capture.attachments {
        writeln!(out, "              {attachment}")?;
    }
    let console = match health.console {
        None => "none: `goshawk-sensor enroll TOKEN` reports to one",
        Some(true) => "connected",
        Some(false) => "not connected",
    };
    writeln!(
        out,
        "  console     {console}; {} alerts to deliver",
        health.spooled
    )?;
    writeln!(
        out,
        "  seen        {} packets, {} activities, {} alerts",
        health.packets, health.activities, health.alerts
    )?;
    let list = |counts: &std::collections::BTreeMap<String, u64>| {
        let words: Vec<String> = counts
            .iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        if words.is_empty() {
            "nothing".to_owned()
        } else {
            words.join(", ")
        }
    };
    writeln!(out, "  messages    {}", list(&health.messages))?;
    writeln!(out, "  not read    {}", list(&health.drops))?;
    for (what, until) in &health.learning {
        writeln!(out, "  learning    {what}, until {until}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use goshawk_model::Timestamp;

    use super::*;

    fn health() -> SensorHealth {
        SensorHealth::starting("dc1", Timestamp::from_parts(7, 0))
    }

    #[test]
    fn a_running_sensor_answers_and_a_dead_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status.sock");
        assert_eq!(query(&path).unwrap(), None);
        let (sender, receiver) = watch::channel(health());
        let server = Server::start(&path, receiver.clone()).unwrap();
        assert_eq!(query(&path).unwrap(), Some(health()));
        sender.send_modify(|health| health.packets = 9);
        assert_eq!(query(&path).unwrap().unwrap().packets, 9);
        let error = Server::start(&path, receiver).err().unwrap().to_string();
        assert!(error.contains("another sensor runs already"), "{error}");
        drop(server);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_killed_sensor_left_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists() && query(&path).unwrap().is_none());
        let _server = Server::start(&path, watch::channel(health()).1).unwrap();
        assert_eq!(query(&path).unwrap(), Some(health()));
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            MODE
        );
    }
}
