//! Long steps, shown as they go.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

/// The workspace's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The cargo that runs us, in the workspace's root.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

/// A program that `cargo install` put there.
pub(crate) fn in_cargo_home(name: &str) -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")))?;
    Some(home.join("bin").join(name)).filter(|path| path.is_file())
}

/// Runs `command` quietly, as the step called `what`; its output shows only when it fails.
pub(crate) fn quiet(what: &str, command: &mut Command) -> Result<()> {
    let log = target()
        .join("xtask")
        .join(format!("{}.log", what.replace([' ', '/'], "-")));
    fs::create_dir_all(log.parent().unwrap_or(root()))?;
    let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let progress = Progress::start(what);
    let status = command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .status()
        .with_context(|| format!("cannot run {}", program(command)))?;
    if status.success() {
        progress.done(what);
        return Ok(());
    }
    progress.failed(what);
    let text = fs::read_to_string(&log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    for line in &lines[lines.len().saturating_sub(40)..] {
        eprintln!("    {line}");
    }
    bail!(
        "{what}: {} failed ({status}); all it said is in {}",
        program(command),
        log.display()
    )
}

/// Runs `command` in the open, as the step called `what`.
pub(crate) fn open(what: &str, command: &mut Command) -> Result<()> {
    eprintln!("── {what}");
    let status = command
        .status()
        .with_context(|| format!("cannot run {}", program(command)))?;
    if !status.success() {
        bail!("{what}: {} failed ({status})", program(command));
    }
    Ok(())
}

/// Says that the step called `what` had nothing to do, or what it found.
pub(crate) fn found(what: &str, how: &str) {
    eprintln!("  ✓ {what}: {how}");
}

fn program(command: &Command) -> String {
    let program = Path::new(command.get_program());
    program
        .file_name()
        .unwrap_or(program.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// A spinner on a terminal, a line at the end elsewhere.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn start(what: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        let style = ProgressStyle::with_template("  {spinner} {msg} ({elapsed})");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    pub(crate) fn done(self, what: &str) {
        self.0.finish_and_clear();
        eprintln!("  ✓ {what} ({})", HumanDuration(self.0.elapsed()));
    }

    fn failed(self, what: &str) {
        self.0.finish_and_clear();
        eprintln!("  ✗ {what}");
    }
}
