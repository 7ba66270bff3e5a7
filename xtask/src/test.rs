//! `test`: everything CI asks for.

use anyhow::Result;

use crate::{ebpf, fuzz, kernels, lint, setup, step};

/// Options of `test`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only boot the kernels we promise (Debian's 6.1 and 6.12) and try the sensor on them.
    #[arg(long)]
    kernels: bool,
    /// Leave out what needs root: the kernel, namespaces, the lab.
    #[arg(long)]
    unprivileged: bool,
}

/// The packages whose tests need no privilege.
const UNPRIVILEGED: &[&str] = &[
    "goshawk-model",
    "goshawk-decode",
    "goshawk-detect",
    "goshawk-console",
    "goshawk-sensor",
    "sensor-ebpf",
    "xtask",
];

/// How long every test run looks for bytes that break a decoder, seconds.
const FUZZ: u64 = 60;

pub(crate) fn run(options: &Options) -> Result<()> {
    let root = nix::unistd::geteuid().is_root();
    if !root && !options.unprivileged {
        anyhow::bail!(
            "not root, and the sensor's tests load its program into the kernel: run as root, or \
             with --unprivileged for the rest"
        );
    }
    setup::run(&setup::Options {
        build_only: options.unprivileged,
    })?;
    ebpf::build()?;
    if options.kernels {
        return kernels::run();
    }
    lint::run(&lint::Options {})?;
    // Binaries first: the end-to-end tests start them.
    let mut build = step::cargo();
    build.args([
        "build",
        "--locked",
        "--workspace",
        "--bins",
        "--exclude",
        "sensor-ebpf",
    ]);
    step::quiet("binaries", &mut build)?;
    let mut test = step::cargo();
    test.args(["test", "--locked"]);
    // The same cases in every run: what a new one finds is for whoever looks for it, with
    // PROPTEST_RNG_SEED or PROPTEST_CASES, and not for whoever tests a change.
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        test.env("PROPTEST_RNG_SEED", "20260301");
    }
    if options.unprivileged {
        test.args(UNPRIVILEGED.iter().flat_map(|package| ["-p", package]));
    } else {
        test.args(["--workspace", "--exclude", "sensor-ebpf"]);
    }
    step::open("tests", &mut test)?;
    fuzz::run(&fuzz::Options {
        time: FUZZ,
        target: None,
    })?;
    if options.unprivileged {
        return Ok(());
    }
    kernels::run()
}
