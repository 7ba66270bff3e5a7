//! Debian's packages: what is there, and how the rest gets there.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::step;

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

/// `apt-get`, which asks nothing.
pub(crate) fn apt() -> Command {
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    apt
}

/// Whether dpkg knows the package as installed.
pub(crate) fn is_installed(package: &str) -> bool {
    let status = Command::new("dpkg-query")
        .args(["-W", "-f", "${db:Status-Status}", package])
        .output();
    status.is_ok_and(|output| output.stdout == b"installed")
}
