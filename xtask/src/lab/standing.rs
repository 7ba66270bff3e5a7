//! A lab that stands until it is told to go: `up` and `down`.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use goshawk_lab::tools;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{Pid, getpid};

/// How long `down` waits for the lab to end.
const FAREWELL: Duration = Duration::from_secs(10);

/// Brings the domain up and stays until told to end.
pub(super) fn up() -> Result<()> {
    let mark = Mark::set()?;
    // Blocked before any thread starts, so that all of them leave these signals to `wait` below.
    let mut ending = SigSet::empty();
    ending.add(Signal::SIGINT);
    ending.add(Signal::SIGTERM);
    ending.thread_block()?;
    let lab = super::bring_up()?;
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

/// Ends the lab that `up` runs.
pub(super) fn down() -> Result<()> {
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
