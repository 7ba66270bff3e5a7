//! Builds the kernel program: an eBPF object at `target/bpf/sensor-ebpf`, which the daemon's build
//! embeds.
//!
//! The `bpf` target has no precompiled `core`, so a toolchain that carries the source of `core` is
//! needed: rustup's nightly if it has the component `rust-src`, else rustup's default with that
//! component, else Debian's packages. Neither of the latter is a nightly; `RUSTC_BOOTSTRAP=1`
//! lets them do what `-Z build-std` asks for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::step;

/// A compiler that can build for the `bpf` target.
struct Toolchain {
    name: String,
    cargo: PathBuf,
    rustc: PathBuf,
}

const TARGET: &str = "bpfel-unknown-none";

/// Debug info and BTF, without which the object's maps have no types, and the kernel wants those;
/// headers are read where they lie, and the kernel's processors do not mind odd addresses.
const RUSTFLAGS: &str =
    "-Cdebuginfo=2 -Clink-arg=--btf -Clink-arg=--cpu-features=+allows-misaligned-mem-access";

/// Builds the kernel program and returns its path; quick when nothing has changed.
///
/// # Errors
/// When no toolchain that could build it is there, or none of them succeeds.
pub(crate) fn build() -> Result<PathBuf> {
    let Some(linker) = bpf_linker() else {
        bail!("the kernel program needs bpf-linker, which is not here; run: cargo xtask setup");
    };
    let toolchains = toolchains();
    if toolchains.is_empty() {
        bail!("the kernel program needs a rustc with rust-src; run: cargo xtask setup");
    }
    let mut failures = Vec::new();
    for toolchain in toolchains {
        let what = format!("kernel program, by {}", toolchain.name);
        match step::quiet(&what, &mut toolchain.command(&linker)) {
            Ok(()) => return publish(),
            // The next one may do: this one's LLVM may be newer than the linker's.
            Err(error) => failures.push(error.to_string()),
        }
    }
    bail!("{}", failures.join("; "))
}

/// A toolchain that has the source of `core`, by name; `None` if there is none.
pub(crate) fn rust_source() -> Option<String> {
    toolchains()
        .into_iter()
        .next()
        .map(|toolchain| toolchain.name)
}

/// The linker for eBPF objects, if it is in the path or where cargo installs.
pub(crate) fn bpf_linker() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join("bpf-linker"))
        .find(|file| file.is_file())
        .or_else(|| step::in_cargo_home("bpf-linker"))
}

impl Toolchain {
    fn command(&self, linker: &Path) -> Command {
        let mut cargo = Command::new(&self.cargo);
        cargo
            .current_dir(step::root())
            .args([
                "build",
                "--locked",
                "--release",
                "-p",
                "sensor-ebpf",
                "--bin",
                "sensor-ebpf",
            ])
            .args(["--target", TARGET, "-Z", "build-std=core", "--target-dir"])
            .arg(build_folder())
            .env("RUSTC", &self.rustc)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", RUSTFLAGS);
        if let Some(folder) = linker.parent() {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let folders = std::iter::once(folder.into()).chain(std::env::split_paths(&path));
            if let Ok(path) = std::env::join_paths(folders) {
                cargo.env("PATH", path);
            }
        }
        // What the cargo that runs this very program tells its children is not meant for another.
        for variable in [
            "CARGO",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTUP_TOOLCHAIN",
            "RUSTC_WRAPPER",
        ] {
            cargo.env_remove(variable);
        }
        cargo
    }
}

/// All toolchains that could do it, best first.
fn toolchains() -> Vec<Toolchain> {
    let mut found = Vec::new();
    for (name, toolchain) in [
        ("rustup's nightly", Some("+nightly")),
        ("rustup's default", None),
    ] {
        let mut rustc = Command::new("rustc");
        rustc
            .args(toolchain)
            .args(["--print", "sysroot"])
            .env_remove("RUSTUP_TOOLCHAIN");
        let Ok(output) = rustc.output() else { continue };
        let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        // A rustc that does not know "+nightly" is not rustup's, and prints nothing.
        if output.status.success() && sysroot.join("bin/cargo").is_file() {
            found.push((name, sysroot));
        }
    }
    found.push(("Debian's packages", PathBuf::from("/usr")));
    found.dedup_by(|a, b| a.1 == b.1);
    found
        .into_iter()
        .filter(|(_, root)| {
            root.join("lib/rustlib/src/rust/library/core/src/lib.rs")
                .is_file()
        })
        .map(|(name, root)| Toolchain {
            name: name.to_owned(),
            cargo: root.join("bin/cargo"),
            rustc: root.join("bin/rustc"),
        })
        .collect()
}

fn build_folder() -> PathBuf {
    step::root().join("target/bpf-build")
}

/// Copies the object to where the daemon's build looks; leaves an equal one alone, so that nothing
/// is rebuilt for it.
fn publish() -> Result<PathBuf> {
    let built = build_folder().join(TARGET).join("release/sensor-ebpf");
    let object = step::root().join("target/bpf/sensor-ebpf");
    let new = fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
    if fs::read(&object).is_ok_and(|old| old == new) {
        return Ok(object);
    }
    fs::create_dir_all(step::root().join("target/bpf"))?;
    fs::write(&object, new).with_context(|| format!("cannot write {}", object.display()))?;
    Ok(object)
}
