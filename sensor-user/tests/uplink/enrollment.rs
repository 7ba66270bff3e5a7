//! How a sensor comes to its papers, and how it does not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use goshawk_model::frame;
use goshawk_sensor::uplink::{EnrollError, enroll, is_enrolled};

use crate::console::{Authority, TestConsole, token};

fn names(dir: &std::path::Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_token_is_good_once_and_its_papers_are_private() {
    let state = tempfile::tempdir().unwrap();
    let authority = Arc::new(Authority::new());
    let console = TestConsole::start(&authority, None);
    let token = console.token(&authority, b"secret");
    let pasted = format!("  {token}\n");
    let enrolled = enroll(&pasted, state.path(), "dc1", false).unwrap();
    assert_eq!(enrolled.sensor, "dc1");
    assert_eq!(enrolled.address, console.address.to_string());
    assert!(is_enrolled(state.path()));
    assert_eq!(names(state.path()), ["console"]);
    for name in names(&state.path().join("console")) {
        let found = fs::metadata(state.path().join("console").join(name)).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o600);
    }

    let other = tempfile::tempdir().unwrap();
    let error = enroll(&token, other.path(), "dc2", false).unwrap_err();
    assert!(matches!(error, EnrollError::Refused { .. }));
    assert_eq!(error.exit_code(), 1);
    let line = error.to_string();
    assert!(line.contains("used already"), "{line}");
    assert!(line.contains(&console.address.to_string()), "{line}");
    assert_eq!(names(other.path()), [""; 0], "nothing is left of it");
}

#[test]
fn enrolled_is_enrolled_unless_forced() {
    let state = tempfile::tempdir().unwrap();
    let authority = Arc::new(Authority::new());
    let console = TestConsole::start(&authority, None);
    enroll(&console.token(&authority, b"1"), state.path(), "dc1", false).unwrap();
    let papers = || fs::read(state.path().join("console/sensor.pem")).unwrap();
    let before = papers();
    let again = console.token(&authority, b"2");
    let error = enroll(&again, state.path(), "dc1", false).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("--force"), "{error}");
    assert!(papers() == before);
    enroll(&again, state.path(), "dc1", true).unwrap();
    assert!(papers() != before);
    assert_eq!(names(state.path()), ["console"]);
}

#[test]
fn what_is_no_token_is_told_without_asking_anybody() {
    let state = tempfile::tempdir().unwrap();
    let short = token("127.0.0.1:1", vec![1; 20], b"s");
    let whole = token("127.0.0.1:1", vec![1; 32], b"s");
    let long = format!("goshawk1.{}", "A".repeat(100_000));
    for text in [
        "",
        "hunter2",
        "goshawk1.",
        "goshawk1.!!!",
        &whole[..40],
        &short,
        &long,
    ] {
        let error = enroll(text, state.path(), "dc1", false).unwrap_err();
        assert!(matches!(error, EnrollError::Token(_)), "{text}: {error}");
        assert_eq!(error.exit_code(), 2);
        assert_eq!(error.to_string().lines().count(), 1);
    }
}

#[test]
fn a_console_that_is_down_is_named() {
    let state = tempfile::tempdir().unwrap();
    // A socket that nobody reads.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let text = token(&address, vec![1; 32], b"s");
    let error = enroll(&text, state.path(), "dc1", false).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    let line = error.to_string();
    assert!(
        line.contains(&address) && line.contains("does not answer"),
        "{line}"
    );
    assert_eq!(names(state.path()), [""; 0]);
}

#[test]
fn a_state_directory_that_is_not_there_is_named_before_the_token_is_spent() {
    let state = tempfile::tempdir().unwrap();
    let authority = Arc::new(Authority::new());
    let console = TestConsole::start(&authority, None);
    let text = console.token(&authority, b"secret");
    let missing = state.path().join("missing");
    let error = enroll(&text, &missing, "dc1", false).unwrap_err();
    assert!(matches!(error, EnrollError::StateDir(..)));
    assert!(error.to_string().contains("missing"), "{error}");
    assert_eq!(console.manners().secrets.len(), 1);
}

/// The line that enrolling with this console ends in.
fn refusal(console: &TestConsole, authority: &Authority) -> String {
    let state = tempfile::tempdir().unwrap();
    let text = console.token(authority, b"secret");
    let error = enroll(&text, state.path(), "dc1", false).unwrap_err();
    assert_eq!(error.exit_code(), 1);
    assert_eq!(
        console.manners().secrets.len(),
        1,
        "the secret was not told"
    );
    assert_eq!(names(state.path()), [""; 0]);
    error.to_string()
}

#[test]
fn another_authority_is_not_trusted() {
    let authority = Arc::new(Authority::new());
    let other = Arc::new(Authority::new());
    let line = refusal(&TestConsole::start(&other, None), &authority);
    assert!(
        line.contains("not the console that made this token"),
        "{line}"
    );
}

#[test]
fn who_shows_the_right_authority_but_was_not_signed_by_it_is_not_trusted() {
    let authority = Arc::new(Authority::new());
    let other = Arc::new(Authority::new());
    // The authority's certificate is no secret: anybody who ever connected has it.
    let (leaf, key) = other.leaf(frame::SERVER_NAME, false);
    let chain = vec![leaf, authority.certificate.clone()];
    let imposter = TestConsole::with_chain(&other, chain, &key, None);
    let line = refusal(&imposter, &authority);
    assert!(
        line.contains("not the console that made this token"),
        "{line}"
    );
}

#[test]
fn a_certificate_for_another_name_is_not_trusted() {
    let authority = Arc::new(Authority::new());
    let (leaf, key) = authority.leaf("sensor.goshawk", false);
    let chain = vec![leaf, authority.certificate.clone()];
    let console = TestConsole::with_chain(&authority, chain, &key, None);
    let line = refusal(&console, &authority);
    assert!(
        line.contains("not the console that made this token"),
        "{line}"
    );
}

#[test]
fn a_certificate_that_ran_out_is_a_matter_of_clocks() {
    let authority = Arc::new(Authority::new());
    let (leaf, key) = authority.leaf(frame::SERVER_NAME, true);
    let chain = vec![leaf, authority.certificate.clone()];
    let console = TestConsole::with_chain(&authority, chain, &key, None);
    let line = refusal(&console, &authority);
    assert!(line.contains("set the clocks of both machines"), "{line}");
}
