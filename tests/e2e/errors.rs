//! What people get wrong, and what they are told: one clear line, the right exit status.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use goshawk_lab::{STAGE_INTERFACE, Stage, labels};
use goshawk_tests::{Console, Place, Programs, Said, Sensor, eventually};

struct Attempt {
    stage: Stage,
    folder: tempfile::TempDir,
}

impl Attempt {
    fn new() -> Result<Self> {
        Ok(Self {
            stage: Stage::new()?,
            folder: tempfile::tempdir()?,
        })
    }

    fn place(&self) -> Place<'_> {
        Place::In(self.stage.dc())
    }

    fn sensor(&self, tables: &str) -> Result<Sensor> {
        Sensor::new(
            &Programs::of_this_build(),
            &self.folder.path().join("sensor"),
            "dc1",
            tables,
        )
    }

    fn run(&self, tables: &str) -> Result<Said> {
        self.sensor(tables)?.verb(self.place(), "run", &[])
    }
}

fn capture(mode: &str, interface: &str) -> String {
    format!("[capture]\nmode = \"{mode}\"\ninterfaces = [\"{interface}\"]\n")
}

#[test]
fn a_misspelt_key_names_the_nearest() -> Result<()> {
    let attempt = Attempt::new()?;
    for verb in ["run", "check", "status", "alerts"] {
        let said =
            attempt
                .sensor("[capure]\nmode = \"host\"\n")?
                .verb(attempt.place(), verb, &[])?;
        said.one_clear_line(2, &["sensor.toml:", "capure", "'capture'"]);
    }
    Ok(())
}

#[test]
fn keys_that_others_can_read_are_refused_and_so_is_what_is_no_keytab() -> Result<()> {
    let attempt = Attempt::new()?;
    let keytab = attempt.folder.path().join("krbtgt.keytab");
    let tables = format!("[domain]\nkeytab = {keytab:?}\n");
    let told = |verb: &str| attempt.sensor(&tables)?.verb(attempt.place(), verb, &[]);
    let lab_s = labels::folder().join("attack/diamond-ticket.keytab");
    for verb in ["run", "check"] {
        fs::copy(&lab_s, &keytab)?;
        fs::set_permissions(&keytab, Permissions::from_mode(0o644))?;
        told(verb)?.one_clear_line(2, &["krbtgt.keytab", "mode 0644", "chmod 600"]);
        fs::set_permissions(&keytab, Permissions::from_mode(0o600))?;
        fs::write(&keytab, "secret")?;
        told(verb)?.one_clear_line(2, &["krbtgt.keytab", "not a keytab"]);
        fs::remove_file(&keytab)?;
        told(verb)?.one_clear_line(2, &["krbtgt.keytab", "No such file"]);
    }
    fs::copy(&lab_s, &keytab)?;
    fs::set_permissions(&keytab, Permissions::from_mode(0o600))?;
    let tables = capture("host", STAGE_INTERFACE) + &tables;
    let check = attempt
        .sensor(&tables)?
        .verb(attempt.place(), "check", &[])?;
    assert_eq!(check.status, 0, "{check:?}");
    let said = "opened with the keys of krbtgt/hawk.example@hawk.example (version 1)";
    assert!(check.out.contains(said), "{check:?}");
    Ok(())
}

#[test]
fn a_missing_interface_lists_those_there_are() -> Result<()> {
    let attempt = Attempt::new()?;
    attempt
        .run(&capture("host", "eth9"))?
        .one_clear_line(2, &["eth9", STAGE_INTERFACE]);
    let check = attempt
        .sensor(&capture("gateway", "eth9"))?
        .verb(attempt.place(), "check", &[])?;
    check.one_clear_line(2, &["eth9"]);
    Ok(())
}

#[test]
fn check_says_what_would_be_attached() -> Result<()> {
    let attempt = Attempt::new()?;
    let said =
        attempt
            .sensor(&capture("host", STAGE_INTERFACE))?
            .verb(attempt.place(), "check", &[])?;
    assert_eq!(said.status, 0, "{said:?}");
    for word in [STAGE_INTERFACE, "XDP", "egress", "lo:"] {
        assert!(said.out.contains(word), "{word} in {said:?}");
    }
    Ok(())
}

#[test]
fn tap_mode_is_refused_on_an_interface_the_machine_needs() -> Result<()> {
    let attempt = Attempt::new()?;
    attempt
        .stage
        .dc()
        .sh(&format!("ip addr add 10.99.0.1/24 dev {STAGE_INTERFACE}"))?;
    attempt
        .run(&capture("tap", STAGE_INTERFACE))?
        .one_clear_line(2, &[STAGE_INTERFACE, "10.99.0.1", "force_tap"]);
    Ok(())
}

#[test]
fn without_privilege_it_says_what_is_missing() -> Result<()> {
    let attempt = Attempt::new()?;
    let sensor = attempt.sensor(&capture("host", STAGE_INTERFACE))?;
    // The test's own folder is closed to others, which is another complaint than the one under test.
    let folder = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o755))
        .tempdir()?;
    let config = folder.path().join("sensor.toml");
    fs::copy(sensor.config(), &config)?;
    let program = folder.path().join("goshawk-sensor");
    fs::copy(Programs::of_this_build().sensor().get_program(), &program)?;
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--inh-caps=-all",
    ]);
    command.arg(program).arg("run").arg("--config").arg(config);
    let said = attempt.place().run(command)?;
    said.one_clear_line(77, &["CAP_BPF", "root"]);
    Ok(())
}

#[test]
fn a_taken_slot_is_named() -> Result<()> {
    let attempt = Attempt::new()?;
    let first = attempt
        .sensor(&capture("host", STAGE_INTERFACE))?
        .start(attempt.place())?;
    let other = Sensor::new(
        &Programs::of_this_build(),
        &attempt.folder.path().join("other"),
        "dc1",
        &capture("host", STAGE_INTERFACE),
    )?;
    let said = other.verb(attempt.place(), "run", &[])?;
    said.one_clear_line(1, &[STAGE_INTERFACE, "taken", "bpftool"]);
    first.stop()?;
    Ok(())
}

#[test]
fn a_token_that_is_no_good_says_why() -> Result<()> {
    let attempt = Attempt::new()?;
    let console = Console::start(
        &Programs::of_this_build(),
        attempt.place(),
        &attempt.folder.path().join("console"),
    )?;
    let sensor = attempt.sensor("")?;
    let enroll = |token: &str| sensor.verb(attempt.place(), "enroll", &[token]);
    enroll("goshawk1.nonsense")?.one_clear_line(2, &["token"]);
    let expired = console.token(&["--valid", "1s"])?;
    std::thread::sleep(Duration::from_millis(1500));
    enroll(&expired)?.one_clear_line(1, &["expired"]);
    let token = console.token(&[])?;
    sensor.enroll(attempt.place(), &token)?;
    enroll(&token)?.one_clear_line(2, &["enrolled already"]);
    let other = Sensor::new(
        &Programs::of_this_build(),
        &attempt.folder.path().join("other"),
        "dc2",
        "",
    )?;
    other
        .verb(attempt.place(), "enroll", &[&token])?
        .one_clear_line(1, &["used"]);
    Ok(())
}

#[test]
fn a_console_that_does_not_answer_is_named() -> Result<()> {
    let attempt = Attempt::new()?;
    let mut console = Console::start(
        &Programs::of_this_build(),
        attempt.place(),
        &attempt.folder.path().join("console"),
    )?;
    let token = console.token(&[])?;
    console.running().child().kill()?;
    console.running().child().wait()?;
    let said = attempt
        .sensor("")?
        .verb(attempt.place(), "enroll", &[&token])?;
    said.one_clear_line(1, &[&console.sensors().to_string()]);
    Ok(())
}

#[test]
fn status_and_alerts_of_a_sensor_that_does_not_run() -> Result<()> {
    let attempt = Attempt::new()?;
    let sensor = attempt.sensor("")?;
    sensor
        .verb(attempt.place(), "status", &[])?
        .one_clear_line(3, &["not running"]);
    sensor
        .verb(attempt.place(), "alerts", &[])?
        .one_clear_line(1, &["has a sensor run"]);
    Ok(())
}

/// A spool on a disk that is full: the sensor says so, keeps alerts in memory and goes on; when
/// there is room again they are on disk.
#[test]
fn a_full_disk_loses_nothing() -> Result<()> {
    let attempt = Attempt::new()?;
    let sensor = attempt.sensor(&capture("host", STAGE_INTERFACE))?;
    let state = sensor.state();
    fs::create_dir_all(&state)?;
    let mount = format!("mount -t tmpfs -o size=2m tmpfs {}", state.display());
    attempt.stage.dc().sh(&mount)?;
    let running = sensor.start(attempt.place())?;
    let fill = state.join("fill");
    let filled = format!(
        "dd if=/dev/zero of={} bs=4k 2>/dev/null || true",
        fill.display()
    );
    attempt.stage.dc().sh(&filled)?;
    let dc = [std::net::IpAddr::V4(goshawk_lab::DC1)];
    let file = labels::folder().join("attack/dcsync-secretsdump.pcap.gz");
    let recording = goshawk_lab::Capture::load(&file)?;
    attempt
        .stage
        .play(&recording, &dc, goshawk_lab::Pace::default())?;
    eventually(
        "it says that the disk is full",
        Duration::from_secs(20),
        || {
            let status = sensor.status().ok()?;
            let problems = status["problems"].to_string();
            (problems.contains("full") || problems.contains("space")).then_some(())
        },
    )?;
    attempt.stage.dc().sh(&format!("rm {}", fill.display()))?;
    eventually(
        "it is on disk when there is room",
        Duration::from_secs(60),
        || {
            let mut command = Programs::of_this_build().sensor();
            command
                .args(["alerts", "--json", "--config"])
                .arg(sensor.config());
            let said = attempt.place().run(command).ok()?;
            said.out.contains("\"externalId\":2006").then_some(())
        },
    )?;
    running.stop()?;
    Ok(())
}
