//! The tools that the scenes use: Debian's packages, and Python's in an environment of their own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};

use crate::namespace::succeed;

/// Debian packages the lab needs; `cargo xtask setup` installs them.
pub const PACKAGES: &[&str] = &[
    "adcli",
    "curl",
    "dnsutils",
    "hydra",
    "iproute2",
    "krb5-pkinit",
    "krb5-user",
    "ldap-utils",
    "ldb-tools",
    "libsasl2-modules-gssapi-mit",
    "nmap",
    "openssl",
    "procps",
    "python3-venv",
    "samba",
    "samba-ad-dc",
    "smbclient",
    "tcpdump",
    "winbind",
];

const REQUIREMENTS: &str = include_str!("../requirements.txt");

/// Where the lab keeps what outlives a run: `target/lab`.
#[must_use]
pub fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
        PathBuf::from,
    );
    target.join("lab")
}

/// The virtual environment that holds the Python tools.
#[must_use]
pub fn venv() -> PathBuf {
    folder().join("venv")
}

/// Makes sure that every tool is there: checks Debian's packages, and makes or renews the virtual
/// environment if `requirements.txt` has changed since it was made.
///
/// # Errors
/// Names the missing packages and how to get them; shows pip's words if it fails.
pub fn ensure() -> Result<()> {
    let missing = missing_packages()?;
    if !missing.is_empty() {
        bail!(
            "the lab needs {}: run `cargo xtask setup`",
            missing.join(", ")
        );
    }
    ensure_venv()
}

/// The version in use of a package: one that `requirements.txt` pins, or one of Debian's.
///
/// # Errors
/// If it is neither pinned nor installed.
pub fn version(package: &str) -> Result<String> {
    let pinned = |line: &'static str| line.strip_prefix(package)?.strip_prefix("==");
    if let Some(version) = REQUIREMENTS.lines().find_map(pinned) {
        return Ok(version.to_owned());
    }
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat=${Version}", package]);
    succeed(&query.output().context("cannot run dpkg-query")?, package)
}

fn missing_packages() -> Result<Vec<&'static str>> {
    let mut query = Command::new("dpkg-query");
    query
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\n"])
        .args(PACKAGES);
    // It fails when it does not know one of them, and lists the others all the same.
    let output = query
        .output()
        .context("the lab needs Debian: cannot run dpkg-query")?;
    let listed = String::from_utf8_lossy(&output.stdout);
    let installed = |package: &str| {
        listed
            .lines()
            .any(|line| line == format!("{package} installed"))
    };
    Ok(PACKAGES
        .iter()
        .copied()
        .filter(|package| !installed(package))
        .collect())
}

fn ensure_venv() -> Result<()> {
    let folder = folder();
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    // Two runs may start at once; the second waits and then finds the work done.
    let lock = File::create(folder.join("venv.lock"))?;
    let _lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error)?;
    let stamp = venv().join("requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|made| made == REQUIREMENTS) {
        return Ok(());
    }
    // Debian's own Python: Samba's modules and `python3-venv` belong to it.
    let mut make = Command::new("/usr/bin/python3");
    make.args(["-m", "venv", "--clear"]).arg(venv());
    succeed(&make.output()?, "python3 -m venv")?;
    let list = folder.join("requirements.txt");
    fs::write(&list, REQUIREMENTS)?;
    let mut pip = Command::new(venv().join("bin/pip"));
    pip.args([
        "install",
        "--quiet",
        "--no-deps",
        "--disable-pip-version-check",
        "-r",
    ])
    .arg(list);
    succeed(&pip.output()?, "pip install of the lab's tools")?;
    fs::write(&stamp, REQUIREMENTS).context("cannot write the virtual environment's stamp")
}
