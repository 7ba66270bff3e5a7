//! An anonymous namespace set: network, mounts and host name, kept alive by one sleeping child.
//!
//! Nothing of it has a name outside (`ip netns` is not used), so two runs never meet, and when this
//! process dies the child dies and the kernel takes everything apart.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::sethostname;

use crate::spawner;

/// A network, mount and host-name namespace; gone when dropped, or when this process dies.
#[derive(Debug)]
pub struct Namespace {
    holder: Child,
    net: File,
    mnt: File,
    uts: File,
}

impl Namespace {
    /// Makes a namespace whose host name is `name`, with `lo` up, a `/sys` that shows its own
    /// interfaces, a BPF file system of its own, and IPv6 off (its router and neighbour chatter would
    /// be in every recording).
    ///
    /// # Errors
    /// Without root, or where namespaces are forbidden; the message says so.
    pub fn new(name: &str) -> Result<Self> {
        let holder = spawner::spawn(holder(name.to_owned())).map_err(|error| {
            let hint = match error.kind() {
                io::ErrorKind::PermissionDenied => "; network namespaces need root, try sudo",
                _ => "",
            };
            anyhow::anyhow!("cannot make a network namespace for {name}: {error}{hint}")
        })?;
        let open = |kind: &str| {
            let path = format!("/proc/{}/ns/{kind}", holder.id());
            File::open(&path).with_context(|| format!("cannot open {path}"))
        };
        let (net, mnt, uts) = (open("net")?, open("mnt")?, open("uts")?);
        let namespace = Self {
            holder,
            net,
            mnt,
            uts,
        };
        namespace.sh("mount -t sysfs sysfs /sys
             sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
             ip link set lo up")?;
        Ok(namespace)
    }

    /// The process that holds the namespaces; a person enters with `nsenter -t PID -n -m -u`.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.holder.id()
    }

    /// The network namespace, for `setns`.
    #[must_use]
    pub fn netns_fd(&self) -> BorrowedFd<'_> {
        self.net.as_fd()
    }

    /// A path inside the namespace as seen from outside.
    #[must_use]
    pub fn outside_path(&self, inside: impl AsRef<Path>) -> PathBuf {
        let inside = inside.as_ref();
        let relative = inside.strip_prefix("/").unwrap_or(inside);
        PathBuf::from(format!("/proc/{}/root", self.pid())).join(relative)
    }

    /// Starts `command` inside. Its pid is the command's own, and it dies with this process.
    ///
    /// # Errors
    /// If it cannot be started; the message names the program.
    pub fn spawn(&self, mut command: Command) -> Result<Child> {
        let program = command.get_program().to_string_lossy().into_owned();
        let fds = [
            self.net.as_raw_fd(),
            self.mnt.as_raw_fd(),
            self.uts.as_raw_fd(),
        ];
        // Entering a mount namespace changes the working directory to its root.
        let directory = match command.get_current_dir() {
            Some(directory) => directory.to_owned(),
            None => std::env::current_dir().context("no working directory")?,
        };
        let enter = move || {
            for fd in fds {
                // SAFETY: the files are open in `self`, which outlives the wait for the spawn.
                setns(unsafe { BorrowedFd::borrow_raw(fd) }, CloneFlags::empty())?;
            }
            Ok(nix::unistd::chdir(directory.as_path())?)
        };
        // SAFETY: between fork and exec `enter` makes system calls alone and allocates nothing
        // (nix copies paths of ordinary length to the stack).
        unsafe { command.pre_exec(enter) };
        spawner::spawn(command).with_context(|| format!("cannot start {program}"))
    }

    /// Runs `command` inside to its end and returns what it printed, whatever its exit status.
    ///
    /// # Errors
    /// If it cannot be started or waited for.
    pub fn run(&self, mut command: Command) -> Result<Output> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        self.spawn(command)?
            .wait_with_output()
            .context("lost a child")
    }

    /// Runs shell lines inside, stopping at the first that fails.
    ///
    /// # Errors
    /// Names the status and shows what was printed when a line fails.
    pub fn sh(&self, script: &str) -> Result<String> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-euc", script]);
        succeed(&self.run(shell)?, script)
    }

    /// Runs `work` on a thread inside the network namespace: sockets it opens belong there.
    ///
    /// # Errors
    /// If the namespace cannot be entered, and whatever `work` says.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        thread::scope(|scope| {
            let guest = scope.spawn(|| {
                setns(&self.net, CloneFlags::CLONE_NEWNET).context("cannot enter the namespace")?;
                work()
            });
            guest
                .join()
                .unwrap_or_else(|_| bail!("the thread inside the namespace panicked"))
        })
    }

    /// Writes a file inside, and the folders above it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, inside: impl AsRef<Path>, text: impl AsRef<[u8]>) -> Result<()> {
        let path = self.outside_path(&inside);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, text)
            .with_context(|| format!("cannot write {}", inside.as_ref().display()))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Both fail only if the holder is gone already.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// What a finished command printed, or an error that shows it.
///
/// # Errors
/// If the command's exit status is not 0.
pub(crate) fn succeed(output: &Output, what: &str) -> Result<String> {
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    bail!("{}: {}\n{printed}{complaint}", output.status, what.trim())
}

fn holder(name: String) -> Command {
    let mut command = Command::new("sleep");
    command
        .arg("infinity")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let leave = move || {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS)?;
        // What is mounted in here must not travel back to the machine.
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
        Ok(sethostname(name.as_str())?)
    };
    // SAFETY: between fork and exec `leave` makes system calls alone and allocates nothing (nix
    // copies paths of ordinary length to the stack).
    unsafe { command.pre_exec(leave) };
    command
}
