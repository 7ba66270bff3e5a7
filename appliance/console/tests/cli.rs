//! The command line: verbs beside a running console, clear lines, exit statuses.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

struct Place {
    data: PathBuf,
    temp: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        Self {
            data: temp.path().join("data"),
            temp,
        }
    }

    fn console(&self, arguments: &[&str]) -> Output {
        command(&self.data, arguments).output().unwrap()
    }

    fn run(&self) -> (Child, String) {
        let mut command = command(&self.data, &["run"]);
        command.args(["--listen", "127.0.0.1:0", "--portal", "127.0.0.1:0"]);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut greeting = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        while !greeting.contains("data  ") {
            assert!(stdout.read_line(&mut greeting).unwrap() > 0, "{greeting}");
        }
        // The rest of the greeting, if any, was written at once with it.
        greeting.push_str(&String::from_utf8_lossy(stdout.buffer()));
        (child, greeting)
    }
}

fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_goshawk-console"));
    command.args(arguments).arg("--data").arg(data);
    command
        .env_remove("JOURNAL_STREAM")
        .env_remove("NOTIFY_SOCKET");
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Failed with this status and one line that says this.
fn assert_fails(output: &Output, status: i32, says: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    assert!(said.contains(says), "{said}");
}

/// Stops within the two seconds that it may take.
fn assert_stops(mut child: Child) -> String {
    let begun = Instant::now();
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    let status = child.wait().unwrap();
    assert!(status.success());
    assert!(begun.elapsed() < Duration::from_secs(2));
    std::io::read_to_string(child.stderr.take().unwrap()).unwrap()
}

#[test]
fn the_first_start_says_what_one_needs_and_the_second_no_password() {
    let place = Place::new();
    let (child, greeting) = place.run();
    for part in [
        "portal       https://127.0.0.1:",
        "SHA-256 ",
        "UDP 127.0.0.1:",
        "admin",
    ] {
        assert!(greeting.contains(part), "{greeting}");
    }
    let (_, password) = greeting.split_once("password     ").unwrap();
    let password = password.lines().next().unwrap().to_owned();
    assert_eq!(password.len(), 24, "{password}");
    let log = assert_stops(child);
    assert!(!log.contains(&password));
    let (child, again) = place.run();
    assert!(!again.contains("password"));
    let fingerprint = |text: &str| text.split_once("SHA-256 ").unwrap().1[..95].to_owned();
    assert_eq!(fingerprint(&again), fingerprint(&greeting));
    assert_stops(child);
}

#[test]
fn verbs_work_beside_a_running_console_and_without() {
    let place = Place::new();
    let (child, _) = place.run();
    for _ in 0..2 {
        let output = place.console(&["token", "--name", "dc1", "--valid", "2d"]);
        assert!(output.status.success());
        let text = stdout(&output);
        assert_eq!(text.lines().count(), 1);
        assert!(goshawk_console::enrollment::parse_token(&text).is_some());
    }
    assert!(stdout(&place.console(&["sensors"])).contains("goshawk-console token"));
    assert_eq!(
        stdout(&place.console(&["sensors", "--json"])),
        "{\"sensors\":[]}\n"
    );
    let check = place.console(&["check"]);
    assert!(check.status.success());
    assert!(stdout(&check).contains("runs in this directory now"));
    assert_eq!(stdout(&place.console(&["password"])).trim().len(), 24);
    assert_fails(&place.console(&["run"]), 1, "another console (process");
    assert_stops(child);
    assert!(place.console(&["password"]).status.success());
    assert_fails(&place.console(&["revoke", "dc1"]), 2, "no sensor is named");
}

#[test]
fn wrong_arguments_and_configuration_are_one_clear_line() {
    let place = Place::new();
    let config = place.temp.path().join("console.toml");
    std::fs::write(&config, "[portal]\nidle_minute = 3\n").unwrap();
    let config = config.to_str().unwrap();
    assert_fails(
        &place.console(&["check", "--config", config]),
        2,
        "'idle_minutes'",
    );
    assert_fails(
        &place.console(&["run", "--config", "/none"]),
        2,
        "cannot read /none",
    );
    assert_fails(
        &place.console(&["sensors"]),
        2,
        "no console has been started",
    );
    assert_fails(
        &place.console(&["token", "--name", "a b"]),
        2,
        "cannot name a sensor",
    );
    assert_fails(
        &place.console(&["token", "--address", "here"]),
        2,
        "HOST:PORT",
    );
    for arguments in [&["tokn"][..], &["token", "--valid", "1w"], &[]] {
        let output = place.console(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
    let help = place.console(&["--help"]);
    assert!(help.status.success() && stdout(&help).contains("goshawk-sensor enroll TOKEN"));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = place.console(&["run", "--listen", "127.0.0.1:0", "--portal", &address]);
    assert_fails(&output, 1, &format!("cannot listen on TCP {address}"));
}

#[test]
fn a_place_that_cannot_be_written_is_a_matter_of_privilege() {
    // /proc takes no directories from anybody, root included.
    let output = command(Path::new("/sys/kernel/goshawk"), &["run"])
        .output()
        .unwrap();
    assert_fails(&output, 77, "/sys/kernel/goshawk");
}

#[test]
fn systemd_hears_when_it_is_ready_and_that_it_lives() {
    let place = Place::new();
    let path = place.temp.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let child = command(&place.data, &["run"])
        .args(["--listen", "127.0.0.1:0", "--portal", "127.0.0.1:0"])
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "300000")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut heard = String::new();
    // Twice: the watchdog is fed again and again.
    while heard.matches("WATCHDOG=1").count() < 2 {
        let mut message = [0; 1024];
        let length = socket.recv(&mut message).unwrap();
        heard.push_str(&String::from_utf8_lossy(&message[..length]));
    }
    assert!(heard.contains("READY=1"), "{heard}");
    assert!(
        heard.contains("STATUS=0 sensors connected, 0 alerts kept"),
        "{heard}"
    );
    assert_stops(child);
}

#[test]
fn the_journal_is_told_no_password() {
    let place = Place::new();
    let journal = place.temp.path().join("journal");
    let stdout = std::fs::File::create(&journal).unwrap();
    let metadata = stdout.metadata().unwrap();
    let child = command(&place.data, &["run"])
        .args(["--listen", "127.0.0.1:0", "--portal", "127.0.0.1:0"])
        .env(
            "JOURNAL_STREAM",
            format!("{}:{}", metadata.dev(), metadata.ino()),
        )
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let said = loop {
        let said = std::fs::read_to_string(&journal).unwrap();
        if said.contains("password") {
            break said;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{said}");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(
        said.contains("made with 'goshawk-console password'"),
        "{said}"
    );
    assert_stops(child);
}
