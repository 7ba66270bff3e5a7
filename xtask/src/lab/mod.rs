//! `cargo xtask lab`: a Samba domain in network namespaces, for people, for recording, and for
//! watching it from two places at once.

mod live;
mod standing;

use std::fmt::Write as _;
use std::io::{self, Write};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use goshawk_lab::{Lab, Nature, Scene, labels, record, scene};

/// What to do with the lab.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Bring the domain up, say how to enter its hosts, and stay until Ctrl-C or `down`.
    Up,
    /// End the lab that `up` runs.
    Down,
    /// List the scenes.
    List,
    /// Bring a domain up, let one scene happen in it, and end.
    Scene {
        /// A name that `list` shows.
        name: String,
    },
    /// Record some scenes, or all of them, into tests/captures.
    Record {
        /// Names that `list` shows; all scenes if absent.
        names: Vec<String>,
    },
    /// Play a day in the domain against a sensor on the controller and one behind a mirror port:
    /// they must find the same.
    Live,
}

/// Does it.
///
/// # Errors
/// One line that says what failed and what to do.
pub(crate) fn run(options: Options) -> Result<()> {
    match options.action {
        Action::Up => standing::up(),
        Action::Down => standing::down(),
        Action::List => list(),
        Action::Scene { name } => play(&scene::find(&name)?),
        Action::Record { names } if names.is_empty() => record_scenes(&scene::all()?),
        Action::Record { names } => {
            let chosen: Result<Vec<Scene>> = names.iter().map(|name| scene::find(name)).collect();
            record_scenes(&chosen?)
        }
        Action::Live => live::run(),
    }
}

fn list() -> Result<()> {
    let scenes = scene::all()?;
    let mut text = String::new();
    for (nature, title) in [
        (Nature::Attack, "Attacks"),
        (Nature::Benign, "Ordinary life"),
    ] {
        writeln!(text, "{title}")?;
        for scene in scenes.iter().filter(|scene| scene.nature == nature) {
            writeln!(text, "  {:24}  {}", scene.name, scene.script.about)?;
        }
    }
    match io::stdout().write_all(text.as_bytes()) {
        // `lab list | head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot print"),
    }
}

fn play(scene: &Scene) -> Result<()> {
    let mut lab = bring_up()?;
    println!("{}: {}", scene.name, scene.script.about);
    scene.prepare(&mut lab)?;
    scene.play(&mut lab)?;
    for alert in &scene.script.expected {
        println!(
            "It happened: alert {} from {} is due.",
            alert.external_id, alert.source
        );
    }
    if scene.script.expected.is_empty() {
        println!("It happened: no alert is due.");
    }
    Ok(())
}

/// One scene that fails does not spoil the recordings of the others.
fn record_scenes(chosen: &[Scene]) -> Result<()> {
    let mut lab = bring_up()?;
    let mut failed = Vec::new();
    for scene in chosen {
        match record(&mut lab, scene, &labels::folder()) {
            Ok(label) => println!("{} ({} {})", label.file, label.tool, label.version),
            Err(error) => {
                eprintln!("{error:#}");
                failed.push(scene.name.as_str());
            }
        }
    }
    if !failed.is_empty() {
        bail!("not recorded: {}", failed.join(", "));
    }
    Ok(())
}

fn bring_up() -> Result<Lab> {
    println!("Bringing up a Samba domain in network namespaces (some 15 seconds) ...");
    Lab::new()
}
