//! `cargo xtask lab`: a Samba domain in network namespaces, for people and for recording.

use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use goshawk_lab::{Lab, Nature, Scene, labels, record, scenes, tools};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{Pid, getpid};

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
    /// Record one scene, or all of them, into tests/captures.
    Record {
        /// A name that `list` shows; all scenes if absent.
        name: Option<String>,
    },
}

/// How long `down` waits for the lab to end.
const FAREWELL: Duration = Duration::from_secs(10);

/// Does it.
///
/// # Errors
/// One line that says what failed and what to do.
pub(crate) fn run(options: Options) -> Result<()> {
    match options.action {
        Action::Up => up(),
        Action::Down => down(),
        Action::List => {
            list();
            Ok(())
        }
        Action::Scene { name } => play(scenes::find(&name)?),
        Action::Record { name: Some(name) } => record_scenes([scenes::find(&name)?]),
        Action::Record { name: None } => record_scenes(scenes::all()),
    }
}

fn up() -> Result<()> {
    if let Some(pid) = running()? {
        bail!("a lab is up already (process {pid}); `cargo xtask lab down` ends it");
    }
    // Blocked before any thread starts, so that all of them leave these signals to `wait` below.
    let mut ending = SigSet::empty();
    ending.add(Signal::SIGINT);
    ending.add(Signal::SIGTERM);
    ending.thread_block()?;
    let lab = bring_up()?;
    fs::write(pid_file(), getpid().to_string()).context("cannot write the lab's pid file")?;
    println!("\n{:10} {:14} enter with (as root)", "host", "address");
    for host in lab.hosts() {
        let (name, address, pid) = (host.name(), host.address(), host.namespace().pid());
        println!("{name:10} {address:<14} nsenter -t {pid} -n -m -u");
    }
    println!(
        "{:10} {:14} nsenter -t {} -n",
        "(wire)",
        "br0",
        lab.network().switch().pid()
    );
    println!(
        "\nRealm {}, accounts as in tests/lab/src/accounts.rs.",
        goshawk_lab::REALM
    );
    println!("Ctrl-C, or `cargo xtask lab down`, ends it; nothing is left behind.");
    let ended = ending.wait();
    // Gone already if somebody has tidied target/lab.
    let _ = fs::remove_file(pid_file());
    drop(lab);
    ended.map(drop).context("cannot wait for a signal")
}

fn down() -> Result<()> {
    let Some(pid) = running()? else {
        println!("No lab is up.");
        return Ok(());
    };
    kill(pid, Signal::SIGTERM).with_context(|| format!("cannot end process {pid}"))?;
    let asked = Instant::now();
    while running()?.is_some() {
        if asked.elapsed() > FAREWELL {
            bail!(
                "the lab (process {pid}) does not end; `kill -9 {pid}` leaves nothing behind either"
            );
        }
        sleep(Duration::from_millis(50));
    }
    println!("The lab is down.");
    Ok(())
}

fn list() {
    let kinds = [
        (Nature::Attack, "Attacks"),
        (Nature::Benign, "Ordinary life"),
    ];
    for (nature, title) in kinds {
        println!("{title}");
        for scene in scenes::all().filter(|scene| scene.nature == nature) {
            println!("  {:24}  {}", scene.name, scene.about);
        }
    }
}

fn play(scene: &Scene) -> Result<()> {
    let mut lab = bring_up()?;
    println!("{}: {}", scene.name, scene.about);
    scene.prepare(&mut lab)?;
    scene.play(&mut lab)?;
    for alert in scene.expected {
        println!(
            "It happened: alert {} from {} is due.",
            alert.external_id, alert.source
        );
    }
    if scene.expected.is_empty() {
        println!("It happened: no alert is due.");
    }
    Ok(())
}

fn record_scenes<'a>(chosen: impl IntoIterator<Item = &'a Scene>) -> Result<()> {
    let mut lab = bring_up()?;
    for scene in chosen {
        let label = record(&mut lab, scene, &labels::folder())?;
        println!("{} ({} {})", label.file, label.tool, label.version);
    }
    Ok(())
}

fn bring_up() -> Result<Lab> {
    println!("Bringing up a Samba domain in network namespaces (some 15 seconds) ...");
    Lab::new()
}

fn pid_file() -> PathBuf {
    tools::folder().join("up.pid")
}

/// The process of the lab that `up` runs; a pid file whose process is not an xtask is a stale one.
fn running() -> Result<Option<Pid>> {
    let Ok(text) = fs::read_to_string(pid_file()) else {
        return Ok(None);
    };
    let pid: i32 = text
        .trim()
        .parse()
        .context("target/lab/up.pid holds no process id")?;
    let command = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Ok((command.trim() == "xtask").then(|| Pid::from_raw(pid)))
}
