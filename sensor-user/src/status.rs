//! How a running sensor is: a Unix socket that answers every connection with one line of JSON, and
//! the `status` verb that asks it.

use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fs, os::fd::AsFd};

use goshawk_model::SensorHealth;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::watch;
use tracing::warn;

/// For root and the sensor's group.
const PERMISSIONS: u32 = 0o660;
/// How long who asks may take to read, and who is asked to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// An answer is shorter (bytes).
const MAX_ANSWER: u64 = 1 << 20;
/// Exit status of `status`: all is well.
const WELL: u8 = 0;
/// Something is wrong; the lines say what.
const DEGRADED: u8 = 1;
/// Nobody answers.
const NOT_RUNNING: u8 = 3;

/// Answers on a socket. Dropped, it ends and the socket vanishes.
pub struct Server {
    path: PathBuf,
    /// Closed, it ends the thread.
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

/// Why there is no status.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// Nobody listens.
    #[error("not running: no sensor answers at {0}")]
    NotRunning(String),
    /// Somebody else's socket.
    #[error("this user may not ask the sensor at {0}: run as root or in the sensor's group")]
    Forbidden(String),
    /// Somebody listens and does not answer as a sensor does.
    #[error("the sensor at {0} gives no answer: {1}")]
    NoAnswer(String, String),
    /// The socket cannot be made.
    #[error("the status socket {0} cannot be made: {1}")]
    Socket(String, io::Error),
    /// The socket is in use.
    #[error("another sensor is running: the status socket {0} answers already")]
    InUse(String),
}

impl Server {
    /// Answers at `path` with the latest `health`. A socket that a killed sensor left is replaced.
    ///
    /// # Errors
    /// If another sensor answers there, or the socket cannot be made.
    pub fn start(path: &Path, health: watch::Receiver<SensorHealth>) -> Result<Self, StatusError> {
        if UnixStream::connect(path).is_ok() {
            return Err(StatusError::InUse(path.display().to_string()));
        }
        let start = || {
            let listener = bind(path)?;
            let (stop, stopped) = UnixStream::pair()?;
            let thread = thread::Builder::new()
                .name("status".into())
                .spawn(move || serve(&listener, &stopped, &health))?;
            Ok(Self {
                path: path.to_owned(),
                stop: Some(stop),
                thread: Some(thread),
            })
        };
        start().map_err(|error| StatusError::Socket(path.display().to_string(), error))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // Its panic was told when it happened.
            let _ = thread.join();
        }
        // Somebody may have tidied up already.
        let _ = fs::remove_file(&self.path);
    }
}

/// Asks the sensor whose socket is at `path`.
///
/// # Errors
/// If none answers in time.
pub fn query(path: &Path) -> Result<SensorHealth, StatusError> {
    let name = || path.display().to_string();
    let no_answer = |error: io::Error| StatusError::NoAnswer(name(), error.to_string());
    let stream = UnixStream::connect(path).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => StatusError::Forbidden(name()),
        _ => StatusError::NotRunning(name()),
    })?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(no_answer)?;
    let mut answer = String::new();
    stream
        .take(MAX_ANSWER)
        .read_to_string(&mut answer)
        .map_err(no_answer)?;
    serde_json::from_str(&answer).map_err(|error| StatusError::NoAnswer(name(), error.to_string()))
}

/// The `status` verb: prints how the sensor at `path` is and gives the exit status, 0 well,
/// 1 degraded, 3 not running.
///
/// # Errors
/// If the sensor may not be asked or answers nonsense, or standard output cannot be written.
pub fn show(path: &Path, json: bool) -> anyhow::Result<u8> {
    let health = match query(path) {
        Ok(health) => health,
        Err(error @ StatusError::NotRunning(_)) => {
            eprintln!("{error}");
            return Ok(NOT_RUNNING);
        }
        Err(error) => return Err(error.into()),
    };
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, &health)?;
        writeln!(out)?;
    } else {
        let colour = out.is_terminal();
        write_text(&mut out, &health, colour)?;
    }
    Ok(if health.problems.is_empty() {
        WELL
    } else {
        DEGRADED
    })
}

/// Made under another name, so that nobody finds it before its permissions are right, and renamed
/// over what a killed sensor left.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&beside)?;
    listener.set_nonblocking(true)?;
    fs::set_permissions(&beside, fs::Permissions::from_mode(PERMISSIONS))?;
    fs::rename(&beside, path)?;
    Ok(listener)
}

/// One connection after another; none holds the next up for longer than [`PATIENCE`].
fn serve(listener: &UnixListener, stopped: &UnixStream, health: &watch::Receiver<SensorHealth>) {
    loop {
        let mut ready = [
            PollFd::new(listener.as_fd(), PollFlags::POLLIN),
            PollFd::new(stopped.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut ready, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => {
                warn!("the status socket is closed, it cannot be watched: {error}");
                return;
            }
        }
        if ready[1].any().unwrap_or(true) {
            return;
        }
        // A caller that has gone again is no trouble; out of descriptors, the next may have luck.
        if let Ok((stream, _)) = listener.accept() {
            let answer = health.borrow().clone();
            let _ = reply(stream, &answer);
        }
    }
}

fn reply(mut stream: UnixStream, health: &SensorHealth) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(health)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// For people.
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
    if capture.shunted > 0 {
        writeln!(
            out,
            "  left out    {} packets of connections in which nothing can be read",
            capture.shunted
        )?;
    }
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
        SensorHealth::starting("dc1", Timestamp::from_parts(1_772_359_200, 0))
    }

    #[test]
    fn who_asks_is_answered_with_the_latest() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("status.sock");
        let (sender, receiver) = watch::channel(health());
        let server = Server::start(&path, receiver).unwrap();
        assert_eq!(query(&path).unwrap(), health());
        let changed = SensorHealth {
            packets: 7,
            problems: vec!["a cable is out".into()],
            ..health()
        };
        sender.send_replace(changed.clone());
        assert_eq!(query(&path).unwrap(), changed);
        assert_eq!(show(&path, false).unwrap(), DEGRADED);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, PERMISSIONS);
        drop(server);
        assert!(matches!(query(&path), Err(StatusError::NotRunning(_))));
        assert_eq!(show(&path, true).unwrap(), NOT_RUNNING);
        assert!(!path.exists());
    }

    #[test]
    fn a_socket_left_behind_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("status.sock");
        drop(UnixListener::bind(&path).unwrap());
        let (_sender, receiver) = watch::channel(health());
        let _server = Server::start(&path, receiver.clone()).unwrap();
        let second = Server::start(&path, receiver).err().unwrap();
        assert!(matches!(second, StatusError::InUse(_)), "{second}");
        assert!(query(&path).is_ok());
    }

    #[test]
    fn who_answers_nonsense_is_no_sensor() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("status.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let other = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"hello\n").unwrap();
        });
        assert!(matches!(query(&path), Err(StatusError::NoAnswer(..))));
        other.join().unwrap();
    }

    #[test]
    fn people_read_every_problem() {
        let health = SensorHealth {
            problems: vec!["a cable is out".into(), "the disk is full".into()],
            console: Some(false),
            spooled: 3,
            ..health()
        };
        let mut text = Vec::new();
        write_text(&mut text, &health, false).unwrap();
        let text = String::from_utf8(text).unwrap();
        for part in [
            "dc1",
            "degraded",
            "a cable is out",
            "the disk is full",
            "not connected; 3 alerts to deliver",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
