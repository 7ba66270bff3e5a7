//! `install`: binaries, units and example configuration on this machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{build, step};

/// Options of `install`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Install below this folder instead of `/`, as packagers do.
    #[arg(long, value_name = "DIR")]
    destdir: Option<PathBuf>,
}

/// What goes where: source below the root, destination, mode, and whether an existing file stays.
const FILES: &[(&str, &str, u32, bool)] = &[
    (
        "appliance/systemd/goshawk-sensor.service",
        "usr/lib/systemd/system",
        0o644,
        false,
    ),
    (
        "appliance/systemd/goshawk-console.service",
        "usr/lib/systemd/system",
        0o644,
        false,
    ),
    // It holds no secret, and the sensor reads it again after it has left root.
    ("appliance/config/sensor.toml", "etc/goshawk", 0o644, true),
    ("appliance/config/console.toml", "etc/goshawk", 0o640, true),
];

/// The users that the daemons become.
const USERS: &[&str] = &["goshawk-sensor", "goshawk-console"];

pub(crate) fn run(options: &Options) -> Result<()> {
    let into = options.destdir.clone().unwrap_or_else(|| "/".into());
    if options.destdir.is_none() && !nix::unistd::geteuid().is_root() {
        bail!("not root; install as root, or into a folder of yours with --destdir DIR");
    }
    let built = build::run(&build::Options { release: true })?;
    eprintln!("── install");
    for binary in [&built.sensor, &built.console] {
        put(binary, &into.join("usr/bin"), 0o755, false)?;
    }
    for (source, folder, mode, keep) in FILES {
        put(&step::root().join(source), &into.join(folder), *mode, *keep)?;
    }
    if options.destdir.is_none() {
        USERS.iter().try_for_each(|user| make_user(user))?;
        eprintln!();
        eprintln!("On the console's machine:   systemctl enable --now goshawk-console");
        eprintln!("                            goshawk-console token");
        eprintln!("On each domain controller:  goshawk-sensor enroll TOKEN");
        eprintln!("                            systemctl enable --now goshawk-sensor");
    }
    Ok(())
}

fn put(source: &Path, folder: &Path, mode: u32, keep: bool) -> Result<()> {
    let name = source
        .file_name()
        .with_context(|| format!("{} has no name", source.display()))?;
    let destination = folder.join(name);
    if keep && destination.exists() {
        step::found(&destination.display().to_string(), "kept as it is");
        return Ok(());
    }
    let context = || format!("cannot install {}", destination.display());
    fs::create_dir_all(folder).with_context(context)?;
    // A running binary cannot be overwritten, but it can be replaced.
    let fresh = folder.join(format!(".{}.new", name.to_string_lossy()));
    fs::copy(source, &fresh).with_context(context)?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(mode)).with_context(context)?;
    fs::rename(&fresh, &destination).with_context(context)?;
    step::found(&destination.display().to_string(), "installed");
    Ok(())
}

fn make_user(user: &str) -> Result<()> {
    if nix::unistd::User::from_name(user)?.is_some() {
        step::found(user, "the user exists");
        return Ok(());
    }
    let mut useradd = Command::new("useradd");
    useradd.args([
        "--system",
        "--no-create-home",
        "--shell",
        "/usr/sbin/nologin",
        user,
    ]);
    step::quiet(&format!("user {user}"), &mut useradd)
}
