//! `cargo xtask lab`: a Samba domain in network namespaces, for people and for recording.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use goshawk_lab::{Lab, Nature, Scene, labels, record, scene, tools};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
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
    /// Record some scenes, or all of them, into tests/captures.
    Record {
        /// Names that `list` shows; all scenes if absent.
        names: Vec<String>,
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
        Action::List => list(),
        Action::Scene { name } => play(&scene::find(&name)?),
        Action::Record { names } if names.is_empty() => record_scenes(&scene::all()?),
        Action::Record { names } => {
            let chosen: Result<Vec<Scene>> = names.iter().map(|name| scene::find(name)).collect();
            record_scenes(&chosen?)
        }
    }
}

fn up() -> Result<()> {
    let mark = Mark::set()?;
    // Blocked before any thread starts, so that all of them leave these signals to `wait` below.
    let mut ending = SigSet::empty();
    ending.add(Signal::SIGINT);
    ending.add(Signal::SIGTERM);
    ending.thread_block()?;
    let lab = bring_up()?;
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
    drop(lab);
    drop(mark);
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

/// The mark of a lab that `up` runs: a file with its process id, locked as long as it lives. A lab
/// that was killed leaves the file and not the lock.
struct Mark(Flock<File>);

impl Mark {
    fn set() -> Result<Self> {
        let path = Self::path();
        fs::create_dir_all(tools::folder()).context("cannot make target/lab")?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        let mut lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((_, Errno::EWOULDBLOCK)) => {
                bail!("a lab is up already; `cargo xtask lab down` ends it")
            }
            Err((_, error)) => bail!("cannot lock {}: {error}", path.display()),
        };
        lock.set_len(0)?;
        write!(lock, "{}", getpid())?;
        Ok(Self(lock))
    }

    fn path() -> PathBuf {
        tools::folder().join("up.pid")
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        // An empty file under the lock says that nobody is there; it is harmless if it stays full.
        let _ = self.0.set_len(0);
    }
}

/// The process of the lab that `up` runs.
fn running() -> Result<Option<Pid>> {
    let Ok(file) = File::open(Mark::path()) else {
        return Ok(None);
    };
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(_) => Ok(None),
        Err((mut file, Errno::EWOULDBLOCK)) => {
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            let pid = text
                .trim()
                .parse()
                .context("target/lab/up.pid holds no process id")?;
            Ok(Some(Pid::from_raw(pid)))
        }
        Err((_, error)) => bail!("cannot look at target/lab/up.pid: {error}"),
    }
}
