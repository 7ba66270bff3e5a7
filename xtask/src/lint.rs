//! `lint`: format, lints, and what we depend on.

use anyhow::Result;

use crate::{docs, step};

/// Options of `lint`.
#[derive(clap::Args)]
pub(crate) struct Options {}

pub(crate) fn run(_: &Options) -> Result<()> {
    eprintln!("── lint");
    step::quiet("rustfmt", step::cargo().args(["fmt", "--all", "--check"]))?;
    let mut fuzz = step::cargo();
    fuzz.args(["fmt", "--check", "--manifest-path", "tests/fuzz/Cargo.toml"]);
    step::quiet("rustfmt of the fuzz targets", &mut fuzz)?;
    docs::run(&docs::Options { check: true })?;
    let mut clippy = step::cargo();
    clippy.args([
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]);
    step::quiet("clippy", &mut clippy)?;
    match step::in_cargo_home("cargo-deny") {
        Some(deny) => {
            let mut check = std::process::Command::new(deny);
            check
                .current_dir(step::root())
                .args(["check", "--hide-inclusion-graph"]);
            check.args(["bans", "licenses", "sources"]);
            step::quiet("licences, sources and bans (cargo-deny)", &mut check)
        }
        None => anyhow::bail!("cargo-deny is missing: run `cargo xtask setup`"),
    }
}
