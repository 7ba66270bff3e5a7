//! Every recording of the lab, held against its label: what must be found is found, with its source,
//! account and targets; nothing else is; and the number of workers changes no byte.

use std::path::Path;

use goshawk_lab::labels::{self, Label, Labels};
use goshawk_tests::{is_due, replay, replay_with};

#[test]
fn every_recording_shows_what_its_label_says() {
    let labels = Labels::load(&labels::folder()).expect("the labels read");
    let attacks = labels
        .captures
        .iter()
        .filter(|label| !label.expected.is_empty())
        .count();
    assert!(
        attacks >= 10 && labels.captures.len() > attacks,
        "there is something to prove"
    );
    let failures: Vec<String> = labels.captures.iter().flat_map(check).collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn workers_change_no_byte() {
    let labels = Labels::load(&labels::folder()).expect("the labels read");
    let paths: Vec<_> = labels.captures.iter().map(Label::path).collect();
    let paths: Vec<_> = paths.iter().map(std::path::PathBuf::as_path).collect();
    let controllers = [[10, 83, 0, 10].into()];
    let one = replay(&paths, &controllers, &["--activities", "--workers", "1"]);
    assert!(
        one.said.out.lines().count() > 300,
        "there is something to compare"
    );
    for workers in ["2", "3", "4", "16", "64"] {
        let many = replay(
            &paths,
            &controllers,
            &["--activities", "--workers", workers],
        );
        assert!(
            many.said.out == one.said.out,
            "{workers} workers print other bytes than one"
        );
    }
}

fn check(label: &Label) -> Vec<String> {
    let mut failures = found(label, None);
    if let Some(keytab) = label.keytab_path() {
        failures.extend(found(label, Some(&keytab)));
    }
    failures
}

/// What is not found as it should be, with the keytab or without.
fn found(label: &Label, keytab: Option<&Path>) -> Vec<String> {
    let tables = keytab.map_or_else(String::new, |path| format!("keytab = {path:?}\n"));
    let found = replay_with(&[&label.path()], &label.controllers, &tables, &[]);
    let due = || {
        let expected = label.expected.iter();
        expected.filter(|expected| keytab.is_some() || !expected.opened)
    };
    let name = match keytab {
        Some(_) => format!("{} with its keytab", label.file),
        None => label.file.clone(),
    };
    let mut failures = Vec::new();
    if found.said.status != 0 {
        failures.push(format!(
            "{name}: status {}: {}",
            found.said.status, found.said.err
        ));
    }
    for expected in due() {
        if !found.alerts.iter().any(|alert| is_due(alert, expected)) {
            let all = serde_json::to_string_pretty(&found.alerts).unwrap_or_default();
            failures.push(format!("{name}: {expected:?} is missing in {all}"));
        }
    }
    for alert in &found.alerts {
        if !due().any(|expected| alert["externalId"] == expected.external_id) {
            failures.push(format!(
                "{name}: false alarm: {} {}",
                alert["externalId"], alert["summary"]
            ));
        }
    }
    failures
}
