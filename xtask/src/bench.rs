//! `bench`: what the README's numbers say, measured again.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::{build, step};

/// Options of `bench`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Measured runs of each command; the median counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

/// Packets of the capture that `replay` is measured on, at the least.
const PACKETS: u64 = 300_000;

pub(crate) fn run(options: &Options) -> Result<()> {
    let built = build::run(&build::Options { release: true })?;
    if nix::unistd::geteuid().is_root() {
        let mut xdp = step::cargo();
        xdp.args([
            "bench",
            "--locked",
            "-p",
            "goshawk-sensor",
            "--bench",
            "xdp",
        ]);
        step::open("what a packet costs in the kernel", &mut xdp)?;
    } else {
        eprintln!("── what a packet costs in the kernel: not measured, since it needs root");
    }
    eprintln!("── what a packet costs in the daemon");
    let capture = step::target().join("bench/workday.pcap");
    let packets = goshawk_lab::compose(PACKETS, &capture)?;
    let mut rates = Vec::new();
    let mut peaks = Vec::new();
    for _ in 0..options.runs.max(1) {
        let before = child_cpu()?;
        let started = Instant::now();
        let mut replay = Command::new(&built.sensor);
        replay
            .args(["replay", "--workers", "1", "--json"])
            .arg(&capture);
        let output = replay.output().context("cannot run the sensor")?;
        if !output.status.success() {
            bail!(
                "replay failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        let cpu = child_cpu()? - before;
        rates.push(packets as f64 / cpu.max(1e-9));
        peaks.push((cpu, started.elapsed().as_secs_f64()));
    }
    rates.sort_by(f64::total_cmp);
    peaks.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (cpu, wall) = peaks[peaks.len() / 2];
    println!(
        "replay of {packets} packets, {} runs, medians:",
        rates.len()
    );
    println!("  {:>10.0} packets per CPU second", rates[rates.len() / 2]);
    println!("  {cpu:>10.3} CPU seconds, {wall:.3} s of wall time");
    Ok(())
}

/// CPU seconds of all children that have ended.
fn child_cpu() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(micros as f64 / 1e6)
}
