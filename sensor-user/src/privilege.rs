//! Giving up what is not needed any more, once the kernel program is attached.
//!
//! What stays are the capabilities that updating maps and re-attaching need, the folders that the
//! sensor writes, and no way to start a program or to touch the system. Whoever takes over the
//! daemon through a packet finds himself there.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use caps::{CapSet, Capability};
use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetStatus, path_beneath_rules,
};
use nix::unistd::{User, geteuid, setgid, setgroups, setuid};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
use tracing::{info, warn};

/// What updating maps and attaching again takes.
const KEPT: [Capability; 3] = [
    Capability::CAP_BPF,
    Capability::CAP_NET_ADMIN,
    Capability::CAP_PERFMON,
];

/// What the sensor reads: interfaces, its certificates' and names' surroundings, and itself.
const READ: [&str; 5] = ["/etc", "/proc", "/sys", "/usr", "/run/systemd"];

/// System calls that a sensor never makes, and that whoever took it over would want.
const FORBIDDEN: [i64; 30] = [
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_userfaultfd,
    libc::SYS_personality,
];

/// Makes the folders that the daemon writes, for the user it will be.
///
/// # Errors
/// Names the folder that cannot be made.
pub fn prepare_folders(folders: &[PathBuf], user: Option<&User>) -> Result<()> {
    for folder in folders {
        let existed = folder.is_dir();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        // A shared folder, such as /var/log, stays whose it is.
        if let Some(user) = user.filter(|_| !existed || is_ours(folder)) {
            chown_tree(folder, user)
                .with_context(|| format!("cannot give {} to {}", folder.display(), user.name))?;
        }
    }
    Ok(())
}

/// The user to become; `None` to stay who we are.
///
/// # Errors
/// If the users cannot be looked up.
pub fn user(name: &str) -> Result<Option<User>> {
    if name.is_empty() || !geteuid().is_root() {
        return Ok(None);
    }
    let user = User::from_name(name).with_context(|| format!("cannot look up the user {name}"))?;
    if user.is_none() {
        warn!(
            "there is no user '{name}', so the sensor stays root; make it with: useradd --system {name}"
        );
    }
    Ok(user)
}

/// Becomes `user`, keeps [`KEPT`] alone, and shuts the file system but for what is read and
/// `written`, and the system calls that only an intruder would make. Call before any thread starts:
/// threads inherit it.
///
/// # Errors
/// If the kernel refuses to take a privilege away.
pub fn drop_to(user: Option<&User>, written: &[PathBuf]) -> Result<()> {
    if let Some(user) = user {
        // Without this, leaving root would take the capabilities along.
        caps::securebits::set_keepcaps(true).context("cannot keep capabilities")?;
        setgroups(&[])
            .and_then(|()| setgid(user.gid))
            .and_then(|()| setuid(user.uid))
            .with_context(|| format!("cannot become the user {}", user.name))?;
    }
    let held = caps::read(None, CapSet::Permitted).context("cannot read capabilities")?;
    let kept: HashSet<Capability> = KEPT.into_iter().filter(|cap| held.contains(cap)).collect();
    for capability in caps::read(None, CapSet::Bounding).unwrap_or_default() {
        // Only a holder of CAP_SETPCAP may do it; without, nothing can be gained anyway.
        if !kept.contains(&capability) {
            let _ = caps::drop(None, CapSet::Bounding, capability);
        }
    }
    let none = HashSet::new();
    caps::set(None, CapSet::Effective, &kept)
        .and_then(|()| caps::set(None, CapSet::Permitted, &kept))
        .and_then(|()| caps::set(None, CapSet::Inheritable, &none))
        .context("cannot drop capabilities")?;
    // SAFETY: prctl(2) with this option reads its integer arguments and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    shut_files(written)?;
    shut_calls()
}

/// Keeps the process's memory, which holds keys, out of core dumps and other processes' sight.
///
/// # Errors
/// If the kernel refuses.
pub fn forbid_dumps() -> Result<()> {
    nix::sys::prctl::set_dumpable(false).context("cannot forbid core dumps")
}

fn shut_files(written: &[PathBuf]) -> Result<()> {
    let abi = ABI::V3;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .create()?
        .add_rules(path_beneath_rules(READ, AccessFs::from_read(abi)))?
        .add_rules(path_beneath_rules(
            ["/dev/null", "/dev/urandom"],
            AccessFs::from_read(abi),
        ))?
        .add_rules(path_beneath_rules(written, AccessFs::from_all(abi)))?
        .restrict_self()
        .context("cannot restrict the file system (Landlock)")?;
    if status.ruleset == RulesetStatus::NotEnforced {
        info!("this kernel has no Landlock: the file system is guarded by permissions alone");
    }
    Ok(())
}

fn shut_calls() -> Result<()> {
    let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) else {
        info!("no system call filter for this architecture");
        return Ok(());
    };
    let rules: BTreeMap<i64, _> = FORBIDDEN
        .into_iter()
        .map(|call| (call, Vec::new()))
        .collect();
    let refused = SeccompAction::Errno(libc::EPERM as u32);
    let filter: BpfProgram = SeccompFilter::new(rules, SeccompAction::Allow, refused, arch)
        .and_then(TryInto::try_into)
        .context("cannot build the system call filter")?;
    seccompiler::apply_filter(&filter).context("cannot install the system call filter (seccomp)")
}

/// Whether a folder is the sensor's own by name, so that giving it to the user harms nobody.
fn is_ours(folder: &Path) -> bool {
    folder
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("goshawk"))
}

fn chown_tree(path: &Path, user: &User) -> std::io::Result<()> {
    let (uid, gid) = (Some(user.uid.as_raw()), Some(user.gid.as_raw()));
    chown(path, uid, gid)?;
    if path.symlink_metadata()?.is_dir() {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if entry.file_type()?.is_symlink() {
                continue;
            }
            chown_tree(&entry.path(), user)?;
        }
    }
    Ok(())
}
