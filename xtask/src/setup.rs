//! `setup`: finds or installs what building and testing needs.

use anyhow::Result;

use crate::{debian, ebpf, kernels, step};

/// Options of `setup`.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Only what building needs: no lab, no second opinion, no emulator.
    #[arg(long)]
    pub(crate) build_only: bool,
}

/// Debian packages that the tests need besides the lab's.
const TEST_PACKAGES: &[&str] = &["systemd", "tshark", "util-linux"];
/// Debian packages that build the kernel program where rustup offers no `rust-src`.
const TOOLCHAIN_PACKAGES: &[&str] = &["cargo-web", "rust-web-src", "rustc-web"];
/// What bpf-linker links against; the release that the toolchains' own LLVM is of.
const LLVM_PACKAGE: &str = "llvm-22-dev";
/// Where that package keeps its programs.
const LLVM_BIN: &str = "/usr/lib/llvm-22/bin";
/// The release of bpf-linker, and the feature that picks [`LLVM_PACKAGE`].
const BPF_LINKER: (&str, &str) = ("0.13.0", "llvm-22");
/// The release of cargo-deny.
const CARGO_DENY: &str = "0.20.2";

pub(crate) fn run(options: &Options) -> Result<()> {
    eprintln!("── setup");
    let mut packages = vec!["build-essential", "iproute2"];
    let source = ebpf::rust_source();
    match &source {
        Some(found) => step::found("rust-src", found),
        None => packages.extend(TOOLCHAIN_PACKAGES),
    }
    let linker = ebpf::bpf_linker();
    match &linker {
        Some(path) => step::found("bpf-linker", &path.display().to_string()),
        None => packages.push(LLVM_PACKAGE),
    }
    if !options.build_only {
        packages.extend(TEST_PACKAGES);
        packages.extend(goshawk_lab::tools::PACKAGES);
    }
    packages.sort_unstable();
    packages.dedup();
    debian::install_packages(&packages)?;
    if linker.is_none() {
        let (version, llvm) = BPF_LINKER;
        let path = std::env::var("PATH").unwrap_or_default();
        let mut install = step::cargo();
        install
            .args(["install", "--locked", "bpf-linker", "--version", version])
            .args(["--no-default-features", "--features", llvm])
            .env("PATH", format!("{LLVM_BIN}:{path}"));
        step::quiet("bpf-linker from crates.io", &mut install)?;
    }
    if options.build_only {
        return Ok(());
    }
    if let Some(path) = step::in_cargo_home("cargo-deny") {
        step::found("cargo-deny", &path.display().to_string());
    } else {
        let mut install = step::cargo();
        install.args(["install", "--locked", "cargo-deny", "--version", CARGO_DENY]);
        step::quiet("cargo-deny from crates.io", &mut install)?;
    }
    kernels::install()?;
    let tools = step::Progress::start("the lab's Python tools");
    goshawk_lab::tools::ensure()?;
    tools.done("the lab's Python tools");
    Ok(())
}
