//! What a packet costs in the kernel: the XDP program run on one frame again and again
//! (`BPF_PROG_TEST_RUN`), beside a program that returns at once. Needs root.
//!
//! The ring is drained between the runs and the copies are counted: a ring that is full makes a
//! program fast, and a figure of it worthless.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use etherparse::PacketBuilder;
use goshawk_sensor::capture::kernel::{Entry, Kernel, Settings};
use goshawk_sensor::capture::ring::RingSource;
use goshawk_sensor::capture::{Progress, Source};
use sensor_ebpf::Counter;

/// Measured rounds; the median counts.
const ROUNDS: usize = 9;
/// Runs in a round: a part of them at a time, so that they fit into the ring.
const RUNS: u32 = 50_000;
const PART: u32 = 5_000;
/// Holds all copies of a part.
const RING_BYTES: u32 = 16 << 20;

/// Lengths of the frames measured, bytes.
const LENGTHS: [usize; 3] = [64, 200, 1_500];

/// One line of the table.
struct Subject {
    name: &'static str,
    entry: Entry,
    frame: Vec<u8>,
    is_copied: bool,
    /// Nanoseconds a run, one for each round.
    costs: Vec<f64>,
}

fn main() -> Result<()> {
    let settings = Settings {
        workers: 1,
        ring_bytes: RING_BYTES,
        ..Settings::default()
    };
    let mut kernel = Kernel::load(&settings)?;
    let mut ring = kernel
        .sources()
        .into_iter()
        .next()
        .context("the program has no ring")?;
    let mut subjects = subjects()?;
    for _ in 0..ROUNDS {
        // All in each round, so that a busy moment of the machine's hits all alike.
        for subject in &mut subjects {
            subject.costs.push(round(&mut kernel, &mut ring, subject)?);
        }
    }
    print(&mut subjects);
    Ok(())
}

fn subjects() -> Result<Vec<Subject>> {
    let mut subjects = Vec::new();
    for length in LENGTHS {
        for (name, entry, is_tcp, port) in [
            ("empty program", Entry::Baseline, false, 9),
            ("rejected by port (UDP)", Entry::Xdp, false, 9),
            ("rejected by content (TCP)", Entry::Xdp, true, 9),
            ("captured", Entry::Xdp, false, 88),
        ] {
            let is_copied = name == "captured";
            let frame = frame(length, is_tcp, port)?;
            subjects.push(Subject {
                name,
                entry,
                frame,
                is_copied,
                costs: Vec::new(),
            });
        }
    }
    Ok(subjects)
}

fn frame(length: usize, is_tcp: bool, port: u16) -> Result<Vec<u8>> {
    let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 9], [2, 0, 0, 0, 0, 1]);
    let builder = builder.ipv4([10, 0, 0, 9], [10, 0, 0, 1], 64);
    let mut frame = Vec::new();
    if is_tcp {
        let builder = builder.tcp(40_000, port, 1, 8_192).ack(1);
        let payload = vec![0xa5; length - builder.size(0)];
        builder.write(&mut frame, &payload)?;
    } else {
        let builder = builder.udp(40_000, port);
        let payload = vec![0xa5; length - builder.size(0)];
        builder.write(&mut frame, &payload)?;
    }
    ensure!(
        frame.len() == length,
        "a frame of {} bytes instead of {length}",
        frame.len()
    );
    Ok(frame)
}

/// Runs a subject [`RUNS`] times; returns the mean cost in nanoseconds.
fn round(kernel: &mut Kernel, ring: &mut RingSource, subject: &Subject) -> Result<f64> {
    let before = kernel.counters()?;
    let mut spent = Duration::ZERO;
    let mut drained = 0;
    for _ in 0..RUNS / PART {
        // The kernel reports the mean of a run in whole nanoseconds.
        let (_, mean) = kernel.rehearse(subject.entry, &subject.frame, PART)?;
        spent += mean * PART;
        drained += drain(ring)?;
    }
    let after = kernel.counters()?;
    let grown = |counter| after.get(counter) - before.get(counter);
    let copies = if subject.is_copied {
        u64::from(RUNS)
    } else {
        0
    };
    ensure!(
        grown(Counter::Copied) == copies && drained == copies,
        "{}: {copies} copies expected, {} made, {drained} read",
        subject.name,
        grown(Counter::Copied)
    );
    Ok(spent.as_secs_f64() * 1e9 / f64::from(RUNS))
}

fn drain(ring: &mut RingSource) -> Result<u64> {
    let mut frames = 0;
    loop {
        let before = frames;
        let progress = ring.poll(Duration::ZERO, &mut |_, _| frames += 1)?;
        if frames == before || progress == Progress::End {
            return Ok(frames);
        }
    }
}

fn print(subjects: &mut [Subject]) {
    println!("XDP cost per packet, ns: median of {ROUNDS} rounds of {RUNS} runs, and their range");
    println!(
        "{:>6}  {:<26} {:>8} {:>15} {:>8}",
        "bytes", "", "median", "range", "ratio"
    );
    let mut empty = f64::NAN;
    for Subject {
        name,
        entry,
        frame,
        costs,
        ..
    } in subjects
    {
        costs.sort_by(f64::total_cmp);
        let median = costs[costs.len() / 2];
        if *entry == Entry::Baseline {
            empty = median;
        }
        let range = format!("{:.1}-{:.1}", costs[0], costs[costs.len() - 1]);
        let ratio = median / empty;
        println!(
            "{:>6}  {name:<26} {median:>8.1} {range:>15} {ratio:>8.2}",
            frame.len()
        );
    }
}
