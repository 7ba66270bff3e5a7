//! Commands run and measured.

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// CPU seconds of several runs of one command, its start-up taken off.
#[derive(Default)]
pub(super) struct Runs(Vec<f64>);

impl Runs {
    /// Runs the command once on nothing and once on what is measured.
    pub(super) fn add(&mut self, nothing: &mut Command, all: &mut Command) -> Result<()> {
        let start_up = cpu(nothing)?;
        self.0.push((cpu(all)? - start_up).max(1e-9));
        Ok(())
    }

    /// The median, CPU seconds.
    pub(super) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Says it of so many packets.
    pub(super) fn print(&self, name: &str, packets: u64) {
        let median = self.median();
        println!(
            "  {:>10.0} packets per CPU second ({median:.3} CPU s): {name}",
            packets as f64 / median
        );
    }
}

/// Runs `command`; CPU seconds that it took.
fn cpu(command: &mut Command) -> Result<f64> {
    let before = child_cpu()?;
    let output = command
        .output()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    if !output.status.success() {
        bail!(
            "{} failed: {}",
            command.get_program().display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(child_cpu()? - before)
}

/// CPU seconds of all children that have ended.
fn child_cpu() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(micros as f64 / 1e6)
}

/// Runs `command`; the most memory that it held, bytes, as far as looking every millisecond shows.
pub(super) fn peak_memory(command: &mut Command) -> Result<u64> {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait()?.is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
        peak = peak.max(kilobytes.unwrap_or_default() * 1024);
        sleep(Duration::from_millis(1));
    }
    Ok(peak)
}
