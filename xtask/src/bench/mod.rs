//! `bench`: what the README's numbers say, measured again.

mod measure;
mod peer;

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::{build, step};
use measure::{Runs, peak_memory};

/// Options of `bench`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Measured runs of each command; the median counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

/// Packets of the capture that `replay` is measured on, at the least.
const PACKETS: u64 = 300_000;
/// Connections open at once where memory is measured.
const CONNECTIONS: usize = 100_000;

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

    let mut engine = step::cargo();
    engine.args([
        "bench",
        "--locked",
        "-p",
        "goshawk-detect",
        "--bench",
        "engine",
    ]);
    step::open("what an activity costs in the engine", &mut engine)?;

    eprintln!("── what a packet costs in the daemon");
    let capture = step::target().join("bench/workday.pcap");
    let packets = goshawk_lab::compose(PACKETS, &capture)?;
    // Of a capture without any packet, Suricata waits long for the first.
    let nothing = step::target().join("bench/nothing.pcap");
    goshawk_lab::compose(1, &nothing)?;
    let peer = peer::find()?;
    let (mut ours, mut theirs) = (Runs::default(), Runs::default());
    // By turns, so that whatever else the machine does meets both.
    for _ in 0..options.runs.max(1) {
        ours.add(
            &mut replay(&built.sensor, &nothing),
            &mut replay(&built.sensor, &capture),
        )?;
        if let Some(peer) = &peer {
            theirs.add(&mut peer.read(&nothing), &mut peer.read(&capture))?;
        }
    }
    println!(
        "{packets} packets, {} runs, medians, start-up not counted:",
        options.runs.max(1)
    );
    ours.print("goshawk-sensor replay --workers 1", packets);
    if let Some(peer) = &peer {
        theirs.print(&peer.name, packets);
        println!(
            "  {:>10.1} times its packets per CPU second",
            theirs.median() / ours.median()
        );
    }

    eprintln!("── what an open connection costs in the daemon");
    let crowd = step::target().join("bench/crowd.pcap");
    let connections = goshawk_lab::crowd(CONNECTIONS, &crowd)?;
    let idle = peak_memory(&mut replay(&built.sensor, &nothing))?;
    let peak = peak_memory(&mut replay(&built.sensor, &crowd))?;
    println!("{connections} connections open at once:");
    println!(
        "  {:>10.1} MB at most, {:.1} MB of them without any",
        mega(peak),
        mega(idle)
    );
    Ok(())
}

fn replay(sensor: &Path, capture: &Path) -> Command {
    let mut replay = Command::new(sensor);
    replay
        .args(["replay", "--workers", "1", "--json"])
        .arg(capture);
    replay
}

fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
