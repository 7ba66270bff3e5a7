//! `build`: the kernel program, the sensor that carries it, and the console.

use std::path::PathBuf;

use anyhow::Result;

use crate::{ebpf, setup, step};

/// Options of `build`.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Optimised, as it is shipped.
    #[arg(long)]
    pub(crate) release: bool,
}

/// Where what was built lies.
pub(crate) struct Built {
    /// `goshawk-sensor`.
    pub(crate) sensor: PathBuf,
    /// `goshawk-console`.
    pub(crate) console: PathBuf,
}

pub(crate) fn run(options: &Options) -> Result<Built> {
    setup::run(&setup::Options { build_only: true })?;
    build(options)
}

/// Builds with what is there.
pub(crate) fn build(options: &Options) -> Result<Built> {
    eprintln!("── build");
    ebpf::build()?;
    let mut build = step::cargo();
    build.args([
        "build",
        "--locked",
        "-p",
        "goshawk-sensor",
        "-p",
        "goshawk-console",
    ]);
    if options.release {
        build.arg("--release");
    }
    step::quiet("sensor and console", &mut build)?;
    let folder = step::target().join(if options.release { "release" } else { "debug" });
    Ok(Built {
        sensor: folder.join("goshawk-sensor"),
        console: folder.join("goshawk-console"),
    })
}
