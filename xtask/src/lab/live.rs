//! `lab live`: a day in the domain, watched from two places.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use goshawk_lab::Nature;
use goshawk_tests::{Live, Programs, STORY};

use crate::{build, setup};

/// Plays the story and compares what the two sensors found.
///
/// # Errors
/// If a scene fails, or the sensors find something else than they should.
pub(super) fn run() -> Result<()> {
    setup::run(&setup::Options::default())?;
    let built = build::build(&build::Options::default())?;
    let programs = Programs::in_folder(built.sensor.parent().context("the build has no folder")?);
    let folder = tempfile::Builder::new().prefix("goshawk-live-").tempdir()?;
    eprintln!("── a Samba domain, a console, a sensor on the controller, one behind a mirror port");
    let mut live = Live::begin(&programs, folder.path())?;
    for name in STORY {
        let began = Instant::now();
        let scene = live.play(name)?;
        let mark = match scene.nature {
            Nature::Attack => "▶",
            Nature::Benign => "·",
        };
        let seconds = began.elapsed().as_secs_f32();
        eprintln!("  {mark} {:<92} {seconds:>5.1} s", scene.script.about);
    }
    let verdict = live.verdict()?;
    println!("\n{verdict}");
    if !verdict.holds() {
        bail!("host and tap mode do not find what they should");
    }
    println!(
        "{} scenes, {} findings: the same in host and tap mode, all at the console, no false alarm.",
        STORY.len(),
        verdict.findings.len()
    );
    Ok(())
}
