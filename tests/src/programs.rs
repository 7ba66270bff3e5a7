//! The binaries under test, and where they run.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context, Result, bail};
use goshawk_lab::Namespace;

/// Where the binaries lie.
#[derive(Clone, Debug)]
pub struct Programs(PathBuf);

impl Programs {
    /// Beside the test that runs: what the workspace's last build left.
    pub fn of_this_build() -> Self {
        // target/PROFILE/deps/test-0123 → target/PROFILE
        let own = std::env::current_exe().unwrap_or_default();
        Self(
            own.ancestors()
                .nth(2)
                .map(PathBuf::from)
                .unwrap_or_default(),
        )
    }

    /// In this folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// `goshawk-sensor` with these arguments.
    pub fn sensor(&self) -> Command {
        self.program("goshawk-sensor")
    }

    /// `goshawk-console` with these arguments.
    pub fn console(&self) -> Command {
        self.program("goshawk-console")
    }

    fn program(&self, name: &str) -> Command {
        let path = self.0.join(name);
        assert!(
            path.is_file(),
            "{} is missing: run `cargo xtask test`",
            path.display()
        );
        let mut command = Command::new(path);
        command.stdin(Stdio::null());
        command
    }
}

/// Where a program runs.
#[derive(Clone, Copy)]
pub enum Place<'a> {
    /// On this machine.
    Here,
    /// In a network namespace of the lab.
    In(&'a Namespace),
}

impl Place<'_> {
    /// Starts `command` there.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn(self, mut command: Command) -> Result<Child> {
        match self {
            Self::Here => command
                .spawn()
                .with_context(|| format!("cannot start {command:?}")),
            Self::In(namespace) => namespace.spawn(command),
        }
    }

    /// Runs `command` there to its end.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn run(self, mut command: Command) -> Result<Said> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Ok(self.spawn(command)?.wait_with_output()?.into())
    }

    /// Does `work` there: sockets that it opens belong there.
    ///
    /// # Errors
    /// What `work` says.
    pub fn inside<T: Send>(self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        match self {
            Self::Here => work(),
            Self::In(namespace) => namespace.inside(work),
        }
    }
}

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Said {
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// Exit status; -1 if a signal ended it.
    pub status: i32,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            status: output.status.code().unwrap_or(-1),
        }
    }
}

impl Said {
    /// What it said on standard output, if it ended well.
    ///
    /// # Errors
    /// Shows all it said if it did not.
    pub fn well(self) -> Result<String> {
        if self.status != 0 {
            bail!("{self:?}");
        }
        Ok(self.out)
    }

    /// Asserts that the program ended with `status` after one clear line that holds each of `words`.
    #[track_caller]
    pub fn one_clear_line(&self, status: i32, words: &[&str]) -> &Self {
        let lines: Vec<&str> = self.err.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.len(), 1, "one line expected: {self:?}");
        assert!(
            !self.err.contains("panicked") && !self.err.contains("backtrace"),
            "{self:?}"
        );
        for word in words {
            assert!(self.err.contains(word), "'{word}' is missing: {self:?}");
        }
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

/// Runs the sensor of this build with these arguments to its end.
#[track_caller]
pub fn run_sensor(arguments: &[&str]) -> Said {
    let mut command = Programs::of_this_build().sensor();
    command.args(arguments);
    Place::Here.run(command).expect("the sensor starts")
}

/// A process that ends, if it must with force, when it goes out of scope.
#[derive(Debug)]
pub struct Running(Child);

impl Running {
    /// Takes charge of a process.
    pub fn new(child: Child) -> Self {
        Self(child)
    }

    /// The process.
    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Its id.
    pub fn pid(&self) -> nix::unistd::Pid {
        nix::unistd::Pid::from_raw(self.0.id().cast_signed())
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// If it is gone.
    pub fn signal(&self, signal: nix::sys::signal::Signal) -> Result<()> {
        nix::sys::signal::kill(self.pid(), signal).context("the process is gone")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
