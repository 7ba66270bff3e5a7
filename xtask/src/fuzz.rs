//! `fuzz`: looks for bytes that break a decoder.
//!
//! The targets are built with the stable toolchain: the coverage counters that libFuzzer reads are
//! a pass of LLVM. No sanitizer is needed, for the decoders hold no unsafe code. `cargo fuzz run
//! --fuzz-dir tests/fuzz TARGET` works as well, with a nightly toolchain.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, bail};

use crate::step;

/// Options of `fuzz`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How long to look, seconds, shared out among the targets.
    #[arg(long, default_value_t = 600)]
    pub(crate) time: u64,
    /// Only this target; all of them if absent.
    pub(crate) target: Option<String>,
}

/// The host's triple: naming a target keeps the counters out of build scripts.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// How the code is instrumented, as cargo-fuzz does it.
const COVERAGE: &[&str] = &[
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
];
/// Longest story, bytes.
const MAX_LEN: usize = 64 << 10;
/// Longest time that one story may take, seconds.
const TIMEOUT: u32 = 5;
/// Most memory that a target may take, MiB.
const MEMORY: u32 = 1024;

/// Looks.
///
/// # Errors
/// One line for what was found, or for what failed.
pub(crate) fn run(options: &Options) -> Result<()> {
    eprintln!("── fuzz");
    let folder = step::root().join("tests/fuzz");
    let known = targets(&folder)?;
    let chosen: Vec<&String> = match &options.target {
        None => known.iter().collect(),
        Some(name) => {
            let found = known.iter().find(|target| *target == name);
            vec![
                found
                    .with_context(|| format!("no target {name}; there are {}", known.join(", ")))?,
            ]
        }
    };
    let work = step::target().join("fuzz");
    let mut build = step::cargo();
    build
        .current_dir(&folder)
        .args(["build", "--release", "--locked", "--target", TRIPLE])
        .env("CARGO_TARGET_DIR", &work)
        .env_remove("RUSTFLAGS")
        .env("CARGO_ENCODED_RUSTFLAGS", COVERAGE.join("\u{1f}"));
    step::quiet("fuzz targets", &mut build)?;
    let corpus = work.join("corpus");
    let mut seeds = step::cargo();
    seeds
        .args([
            "run",
            "--locked",
            "--quiet",
            "-p",
            "goshawk-decode",
            "--example",
            "seeds",
            "--",
        ])
        .arg(&corpus);
    step::quiet("seeds from captures", &mut seeds)?;
    look(&chosen, &work, options.time)
}

/// Runs the targets, as many at once as there are processors.
fn look(chosen: &[&String], work: &Path, seconds: u64) -> Result<()> {
    let workers = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(chosen.len());
    let rounds = chosen.len().div_ceil(workers) as u64;
    let share = (seconds / rounds).max(1);
    let queue = Mutex::new(chosen.iter());
    let next = || queue.lock().ok()?.next();
    let broken: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers)
            .map(|_| {
                scope.spawn(|| {
                    let mut broken = Vec::new();
                    while let Some(target) = next() {
                        if let Err(error) = try_one(target, work, share) {
                            broken.push(format!("{error:#}"));
                        }
                    }
                    broken
                })
            })
            .collect();
        let found = workers.into_iter().filter_map(|worker| worker.join().ok());
        found.flatten().collect()
    });
    if broken.is_empty() {
        return Ok(());
    }
    bail!("{}", broken.join("\n       "))
}

fn try_one(target: &str, work: &Path, seconds: u64) -> Result<()> {
    let findings = work.join("findings").join(target);
    let corpus = work.join("corpus").join(target);
    fs::create_dir_all(&findings)?;
    fs::create_dir_all(&corpus)?;
    let output = Command::new(work.join(TRIPLE).join("release").join(target))
        .arg(&corpus)
        .arg(format!("-artifact_prefix={}/", findings.display()))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={MAX_LEN}"))
        .arg(format!("-timeout={TIMEOUT}"))
        .arg(format!("-rss_limit_mb={MEMORY}"))
        .arg("-print_final_stats=1")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run the target {target}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        let stories = number(&said, "stat::number_of_executed_units:").unwrap_or("?");
        step::found(target, &format!("{stories} stories, nothing found"));
        return Ok(());
    }
    let why = said
        .lines()
        .find(|line| line.contains("panicked at") || line.contains("ERROR: libFuzzer"))
        .unwrap_or("it failed");
    let story = said
        .lines()
        .find_map(|line| line.split("Test unit written to ").nth(1))
        .unwrap_or("target/fuzz/findings");
    bail!(
        "{target}: {why}; the story is {story}: mend the decoder and keep it in \
         tests/fuzz/findings/{target}/"
    )
}

fn number<'a>(said: &'a str, label: &str) -> Option<&'a str> {
    said.lines()
        .find_map(|line| line.strip_prefix(label))
        .map(str::trim)
}

/// The targets there are.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let folder = folder.join("fuzz_targets");
    let entries =
        fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| PathBuf::from(entry.file_name()))
        .filter_map(|name| Some(name.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort_unstable();
    Ok(names)
}
