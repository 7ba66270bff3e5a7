//! `cargo xtask`: everything a developer, a curious visitor or CI does with this tree.

mod bench;
mod build;
mod debian;
mod demo;
mod docs;
mod ebpf;
mod fuzz;
mod install;
mod kernels;
mod lab;
mod lint;
mod setup;
mod step;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Set up, build, demonstrate, test and measure Goshawk.
///
/// Two commands do all there is on a fresh machine: `cargo xtask demo` shows the product at work,
/// `cargo xtask test` proves it. Both install what is missing first.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Find or install what building and testing needs.
    Setup(setup::Options),
    /// Build the kernel program, the sensor and the console.
    Build(build::Options),
    /// Show the product at work: recorded attacks, a real sensor, a real console.
    Demo(demo::Options),
    /// Run every test, as CI does.
    Test(test::Options),
    /// Run the lab: a Samba domain in network namespaces.
    Lab(lab::Options),
    /// Look for bytes that break a decoder.
    Fuzz(fuzz::Options),
    /// Measure what the README's numbers say.
    Bench(bench::Options),
    /// Make the pages that are made from the source.
    Docs(docs::Options),
    /// Check format, lints, and what we depend on.
    Lint(lint::Options),
    /// Install binaries, units and example configuration on this machine.
    Install(install::Options),
}

fn main() -> ExitCode {
    let result = match Cli::parse().verb {
        Verb::Setup(options) => setup::run(&options),
        Verb::Build(options) => build::run(&options).map(drop),
        Verb::Demo(options) => demo::run(&options),
        Verb::Test(options) => test::run(&options),
        Verb::Lab(options) => lab::run(options),
        Verb::Fuzz(options) => fuzz::run(&options),
        Verb::Bench(options) => bench::run(&options),
        Verb::Docs(options) => docs::run(&options),
        Verb::Lint(options) => lint::run(&options),
        Verb::Install(options) => install::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
