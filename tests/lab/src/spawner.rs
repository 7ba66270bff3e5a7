//! One thread starts every process of the lab.
//!
//! `PR_SET_PDEATHSIG` follows the *thread* that forked and not the process: a host made by a test's
//! thread would die when that test ends, under the feet of the tests that share it. So all children
//! are started by one thread that lives exactly as long as the process, and then the signal means
//! what the lab needs: whatever happens to this process, `kill -9` included, nothing outlives it.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{getpid, getppid};

type Order = (Command, Sender<io::Result<Child>>);

static SPAWNER: OnceLock<Sender<Order>> = OnceLock::new();

/// Starts `command` so that it dies with this process.
///
/// # Errors
/// What [`Command::spawn`] says, errors of the command's own `pre_exec` steps included.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    let gone = || io::Error::other("the thread that starts processes has ended");
    let (answer, child) = channel();
    SPAWNER
        .get_or_init(start)
        .send((command, answer))
        .map_err(|_| gone())?;
    child.recv().map_err(|_| gone())?
}

fn start() -> Sender<Order> {
    let (orders, inbox) = channel::<Order>();
    thread::spawn(move || {
        for (mut command, answer) in inbox {
            die_with_parent(&mut command);
            // Whoever asked may have gone; then the child is dropped and runs until this process ends.
            let _ = answer.send(command.spawn());
        }
    });
    orders
}

fn die_with_parent(command: &mut Command) {
    let parent = getpid();
    let arm = move || {
        set_pdeathsig(Signal::SIGKILL)?;
        // The parent may have died between fork and prctl; then no signal would ever come.
        if getppid() == parent {
            Ok(())
        } else {
            Err(io::Error::other("the parent is gone"))
        }
    };
    // SAFETY: between fork and exec `arm` makes two system calls and allocates nothing.
    unsafe { command.pre_exec(arm) };
}
