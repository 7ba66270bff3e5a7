//! systemd's own judgement of the units: that they are right, and how much they expose.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::{Command, Output};

/// What `systemd-analyze security` may say at most, of ten; lower is less exposed.
const CONSOLE_EXPOSURE: f64 = 2.5;
/// The sensor starts as root and needs BPF and the network's administration.
const SENSOR_EXPOSURE: f64 = 3.0;

#[test]
fn the_consoles_unit_is_right_and_exposes_little() {
    check("goshawk-console", CONSOLE_EXPOSURE);
}

#[test]
fn the_sensors_unit_is_right_and_exposes_what_it_must() {
    check("goshawk-sensor", SENSOR_EXPOSURE);
}

fn check(name: &str, most: f64) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd");
    let text = std::fs::read_to_string(source.join(format!("{name}.service"))).unwrap();
    // The binaries are not installed where the test runs.
    let text = text.replace(&format!("/usr/bin/{name}"), "/bin/true");
    let temp = tempfile::tempdir().unwrap();
    let unit = temp.path().join(format!("{name}.service"));
    std::fs::write(&unit, text).unwrap();

    let verdict = analyze(&["verify", unit.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&verdict.stderr);
    // Of this unit; what else the machine has is not ours to judge.
    let ours: Vec<_> = said.lines().filter(|line| line.contains(name)).collect();
    assert!(verdict.status.success() && ours.is_empty(), "{said}");

    let report = analyze(&[
        "security",
        "--offline=true",
        "--no-pager",
        unit.to_str().unwrap(),
    ]);
    let said = String::from_utf8_lossy(&report.stdout);
    let (_, rest) = said
        .split_once("Overall exposure level for")
        .unwrap_or_else(|| panic!("no verdict: {said}"));
    let score: f64 = rest
        .split(": ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .unwrap()
        .parse()
        .unwrap();
    assert!(
        score <= most,
        "{name} exposes {score}, more than {most}: {said}"
    );
}

fn analyze(arguments: &[&str]) -> Output {
    Command::new("systemd-analyze")
        .args(arguments)
        .output()
        .expect("systemd-analyze, from the package systemd")
}
