//! Debian's packages: what is there, and how the rest gets there.

use std::fs;
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

/// Installs `package` from another suite of Debian's archive, without adding that to the machine's
/// own sources.
pub(crate) fn install_from(suite: &str, package: &str) -> Result<()> {
    const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
    let folder = step::target().join("xtask/apt").join(suite);
    fs::create_dir_all(folder.join("lists/partial"))?;
    let release = suite.split('-').next().unwrap_or(suite);
    let sources = format!(
        "deb [signed-by={KEYS}] http://deb.debian.org/debian {release} main\n\
         deb [signed-by={KEYS}] http://deb.debian.org/debian {suite} main\n"
    );
    fs::write(folder.join("sources.list"), sources)?;
    let apt = || {
        let mut apt = apt();
        for (key, value) in [
            ("Dir::Etc::sourcelist", folder.join("sources.list")),
            ("Dir::Etc::sourceparts", "/dev/null".into()),
            ("Dir::State::lists", folder.join("lists")),
        ] {
            apt.arg("-o").arg(format!("{key}={}", value.display()));
        }
        apt
    };
    step::quiet(&format!("apt-get update of {suite}"), apt().arg("update"))?;
    let mut install = apt();
    install.args(["install", "--yes", "--no-install-recommends"]);
    install.args(["--target-release", suite, package]);
    step::quiet(&format!("{package} from {suite}"), &mut install)
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
