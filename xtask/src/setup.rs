//! `setup`: finds or installs what building and testing needs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::{ebpf, kernels, step};

/// Options of `setup`.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Only what building needs: no lab, no second opinion, no emulator.
    #[arg(long)]
    pub(crate) build_only: bool,
}

/// Debian packages that the tests need besides the lab's.
const TEST_PACKAGES: &[&str] = &["chromium", "systemd", "tshark"];
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
    install_packages(&packages)?;
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
    if let Some(path) = in_cargo_home("cargo-deny") {
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

/// A program that `cargo install` put there.
pub(crate) fn in_cargo_home(name: &str) -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")))?;
    Some(home.join("bin").join(name)).filter(|path| path.is_file())
}

/// Installs those of `packages` that are missing.
pub(crate) fn install_packages(packages: &[&str]) -> Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .copied()
        .filter(|name| !is_installed(name))
        .collect();
    if missing.is_empty() {
        step::found(
            "Debian packages",
            &format!("all {} are there", packages.len()),
        );
        return Ok(());
    }
    let list = missing.join(" ");
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("this is no Debian; install what these packages hold, then try again: {list}");
    }
    if !nix::unistd::geteuid().is_root() {
        bail!("not root; run this once as root, then try again: apt-get install {list}");
    }
    step::quiet("apt-get update", apt().arg("update"))?;
    let mut install = apt();
    install
        .args(["install", "--yes", "--no-install-recommends"])
        .args(&missing);
    step::quiet(&format!("{} Debian packages", missing.len()), &mut install)
        .map_err(|error| error.context(format!("cannot install {list}")))
}

pub(crate) fn apt() -> Command {
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    apt
}

pub(crate) fn is_installed(package: &str) -> bool {
    let status = Command::new("dpkg-query")
        .args(["-W", "-f", "${db:Status-Status}", package])
        .output();
    status.is_ok_and(|output| output.stdout == b"installed")
}
