//! The whole product in a real Samba domain: real tools, a sensor on the controller that reports to a
//! console, and another behind a mirror port. `cargo xtask lab live` shows the same to people.

use anyhow::Result;
use goshawk_tests::{Live, Programs, STORY};
use serde_json::Value;

#[test]
fn host_and_tap_find_the_same_attacks_on_a_real_domain_and_nothing_in_its_life() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut live = Live::begin(&Programs::of_this_build(), folder.path())?;
    for scene in STORY {
        live.play(scene)?;
    }
    let verdict = live.verdict()?;
    assert!(verdict.holds(), "\n{verdict}");
    assert!(verdict.findings.len() >= 5, "\n{verdict}");
    for status in live.status()? {
        assert_eq!(status["problems"], Value::Array(Vec::new()), "{status:#}");
    }
    Ok(())
}
