//! `test --kernels`: boots the kernels that the sensor promises to run on, Debian's 6.1 and 6.12,
//! and runs the kernel tests inside.
//!
//! An emulator boots each kernel with a root file system in memory: busybox, iproute2, a few
//! kernel modules and the very test program that `cargo test` runs. Plain emulation, because a
//! `/dev/kvm` that is there is not always one that works; so the tests that are run are a choice,
//! one or two for each thing that kernels do differently.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{debian, step};

/// A kernel that is promised.
struct Kernel {
    version: &'static str,
    /// Debian's suite that has it.
    suite: &'static str,
}

const KERNELS: [Kernel; 2] = [
    Kernel {
        version: "6.1",
        suite: "bookworm-security",
    },
    Kernel {
        version: "6.12",
        suite: "bookworm-backports",
    },
];

/// Debian's package that depends on the current kernel of its suite.
const META_PACKAGE: &str = "linux-image-cloud-amd64";

/// Kernel modules that the tests need, each after those it depends on. What a kernel has built in
/// is not among its modules.
const MODULES: [&str; 6] = ["llc", "stp", "bridge", "veth", "sch_ingress", "cls_bpf"];

/// Programs of this machine that the tests need inside. Busybox's shell would prefer an `ip` of its
/// own, which knows too little.
const PROGRAMS: [&str; 3] = ["dash", "ip", "tc"];

/// What is run on each kernel.
const TESTS: [&str; 14] = [
    "rehearsed::a_frame_larger_than_a_record_arrives_whole",
    "rehearsed::a_full_ring_loses_nothing_uncounted",
    "rehearsed::an_endpoint_is_learned_from_its_first_request",
    "rehearsed::later_fragments_follow_their_first",
    "rehearsed::options_and_extension_headers_are_followed",
    "live::a_large_reply_through_offloaded_egress_arrives_whole",
    "live::loopback_is_seen_once",
    "live::nothing_stays_attached",
    "live::what_a_killed_sensor_left_is_replaced_and_can_be_cleaned",
    "live::without_native_xdp_arriving_frames_are_seen_by_tc",
    "shunts::a_connection_s_edges_are_seen_and_end_the_shunt",
    "shunts::behind_a_tap_the_connection_inside_is_shunted",
    "tunnels::a_tunnel_s_fragments_go_whole_to_the_worker_of_what_is_inside",
    "tunnels::the_packet_inside_takes_the_place_of_the_outside",
];

/// A boot and its tests take a quarter of this under emulation.
const PATIENCE_SECONDS: &str = "120";

/// What the machine prints when all tests have passed.
const PASSED: &str = "goshawk: all passed";

const EMULATOR: &str = "qemu-system-x86";

/// Runs the kernel tests on each kernel.
///
/// # Errors
/// When a kernel cannot be had or booted, or a test fails on it.
pub(crate) fn run() -> Result<()> {
    eprintln!("── kernels");
    install()?;
    let tests = test_program()?;
    for kernel in &KERNELS {
        kernel.fetch()?;
        kernel.try_out(&tests)?;
    }
    Ok(())
}

/// Installs the emulator and busybox.
///
/// # Errors
/// When Debian's packages cannot be installed.
pub(crate) fn install() -> Result<()> {
    if !debian::is_installed("busybox-static") {
        debian::install_packages(&["busybox-static"])?;
    }
    if debian::is_installed(EMULATOR) {
        step::found("emulator", EMULATOR);
        return Ok(());
    }
    let install = ["install", "--yes", "--no-install-recommends", "--no-remove"];
    let what = format!("emulator, {EMULATOR}");
    if step::quiet(&what, debian::apt().args(install).arg(EMULATOR)).is_ok() {
        return Ok(());
    }
    // Where another package of qemu's came from backports, this one has to, too.
    let apt = Apt::new()?;
    step::quiet(
        &what,
        apt.get()
            .args(["-t", "bookworm-backports"])
            .args(install)
            .arg(EMULATOR),
    )
}

impl Kernel {
    fn folder(&self) -> PathBuf {
        step::root().join("target/kernels").join(self.version)
    }

    /// Downloads the kernel, unless that was done before.
    fn fetch(&self) -> Result<()> {
        let folder = self.folder();
        if folder.join("vmlinuz").is_file() {
            step::found("kernel", &format!("Linux {}", self.version));
            return Ok(());
        }
        fs::create_dir_all(&folder)?;
        let apt = Apt::new()?;
        let release = format!("APT::Default-Release={}", self.suite);
        let depends = apt
            .cache()
            .args(["-o", &release, "depends", META_PACKAGE])
            .output()?;
        let depends = String::from_utf8_lossy(&depends.stdout).into_owned();
        let package = depends
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Depends: linux-image-"))
            .next()
            .with_context(|| format!("{} has no package {META_PACKAGE}", self.suite))?;
        let what = format!("download of Linux {package}");
        let mut download = apt.get();
        download
            .current_dir(&folder)
            .args(["download", &format!("linux-image-{package}")]);
        step::quiet(&what, &mut download)?;
        self.unpack(&format!("linux-image-{package}_"))
    }

    /// Takes the kernel and its modules out of the package.
    fn unpack(&self, package: &str) -> Result<()> {
        let folder = self.folder();
        let contents = folder.join("package");
        let named = |name: &str| name.starts_with(package) && name.ends_with(".deb");
        let archive = find(&folder, &named).context("apt-get downloaded no package")?;
        step::quiet(
            &format!("unpacking Linux {}", self.version),
            Command::new("dpkg-deb")
                .arg("--extract")
                .arg(&archive)
                .arg(&contents),
        )?;
        let modules = folder.join("modules");
        fs::create_dir_all(&modules)?;
        for module in MODULES {
            let plain = format!("{module}.ko");
            let packed = format!("{module}.ko.xz");
            let file = find(&contents.join("lib/modules"), &|name| {
                name == plain || name == packed
            })
            .with_context(|| format!("Linux {} has no module {module}", self.version))?;
            let mut bytes = fs::read(&file)?;
            if file.extension().is_some_and(|extension| extension == "xz") {
                bytes = capture(Command::new("busybox").args(["unxz", "-c"]).arg(&file))?;
            }
            fs::write(modules.join(plain), bytes)?;
        }
        let kernel = find(&contents.join("boot"), &|name| name.starts_with("vmlinuz"))
            .context("the package has no kernel")?;
        fs::copy(kernel, folder.join("vmlinuz"))?;
        fs::remove_dir_all(contents)?;
        fs::remove_file(archive)?;
        Ok(())
    }

    /// Boots the kernel and runs the tests.
    fn try_out(&self, tests: &Path) -> Result<()> {
        let folder = self.folder();
        let root = folder.join("root");
        if root.exists() {
            fs::remove_dir_all(&root)?;
        }
        furnish(&root, tests, &folder.join("modules"))?;
        let image = folder.join("initramfs");
        let pack = format!("find . | busybox cpio -o -H newc > '{}'", image.display());
        capture(Command::new("sh").current_dir(&root).args(["-c", &pack]))?;
        fs::remove_dir_all(&root)?;
        let console = folder.join("console.log");
        let mut machine = Command::new("timeout");
        machine
            .args([
                PATIENCE_SECONDS,
                "qemu-system-x86_64",
                "-accel",
                "tcg,thread=multi",
            ])
            .args([
                "-cpu",
                "max",
                "-m",
                "1536",
                "-smp",
                "2",
                "-nodefaults",
                "-no-reboot",
            ])
            .args([
                "-display",
                "none",
                "-append",
                "console=ttyS0 quiet panic=-1",
                "-serial",
            ])
            .arg(format!("file:{}", console.display()))
            .arg("-kernel")
            .arg(folder.join("vmlinuz"))
            .arg("-initrd")
            .arg(&image);
        let booted = step::quiet(&format!("tests on Linux {}", self.version), &mut machine);
        let said = fs::read(&console).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        if said.contains(PASSED) {
            return Ok(());
        }
        let lines: Vec<&str> = said.lines().collect();
        for line in &lines[lines.len().saturating_sub(40)..] {
            eprintln!("    {line}");
        }
        let reason = match booted {
            Ok(()) => "a test failed".to_owned(),
            Err(error) => format!("not done after {PATIENCE_SECONDS} s, or not booted ({error})"),
        };
        bail!(
            "Linux {}: {reason}; all it said is in {}",
            self.version,
            console.display()
        )
    }
}

/// The kernel tests' program, built but not run.
fn test_program() -> Result<PathBuf> {
    let mut build = step::cargo();
    build.args([
        "test",
        "--locked",
        "-p",
        "goshawk-tests",
        "--test",
        "kernel",
        "--no-run",
    ]);
    let progress = step::Progress::start("kernel tests");
    let messages = capture(build.arg("--message-format=json"))?;
    progress.done("kernel tests");
    String::from_utf8_lossy(&messages)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "kernel")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo built no kernel tests")
}

/// Lays out the root file system.
fn furnish(root: &Path, tests: &Path, modules: &Path) -> Result<()> {
    for folder in ["bin", "dev", "modules", "proc", "sys", "tmp"] {
        fs::create_dir_all(root.join(folder))?;
    }
    let busybox = which("busybox")?;
    fs::copy(busybox, root.join("bin/busybox"))?;
    for name in PROGRAMS {
        let program = which(name)?;
        libraries(&program, root)?;
        fs::copy(program, root.join("bin").join(name))?;
    }
    libraries(tests, root)?;
    // Debug information makes the program ten times as large as what has to be loaded.
    capture(
        Command::new("strip")
            .arg("-o")
            .arg(root.join("bin/tests"))
            .arg(tests),
    )?;
    for module in MODULES {
        let name = format!("{module}.ko");
        fs::copy(modules.join(&name), root.join("modules").join(&name))?;
    }
    let init = root.join("init");
    fs::write(&init, init_script())?;
    capture(Command::new("chmod").arg("755").arg(&init))?;
    Ok(())
}

fn init_script() -> String {
    let modules = MODULES
        .map(|module| format!("insmod /modules/{module}.ko\n"))
        .concat();
    let tests = TESTS.join(" ");
    format!(
        "#!/bin/busybox sh
/bin/busybox mkdir /applets
/bin/busybox --install -s /applets
export PATH=/bin:/applets
ln -s dash /bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /tmp
ip link set lo up
{modules}uname -r
tests --test-threads 2 --exact {tests} && echo '{PASSED}'
poweroff -f
"
    )
}

/// Copies the shared libraries of a program to where it looks for them.
fn libraries(program: &Path, root: &Path) -> Result<()> {
    let listed = capture(Command::new("ldd").arg(program))?;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    for path in listed
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
    {
        let copy = root.join(path.trim_start_matches('/'));
        if let Some(folder) = copy.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(path, copy).with_context(|| format!("cannot copy {path}"))?;
    }
    Ok(())
}

/// apt with sources and lists of our own, so that nothing of the machine's is changed.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    fn new() -> Result<Self> {
        let apt = Self {
            folder: step::root().join("target/kernels/apt"),
        };
        fs::create_dir_all(apt.folder.join("lists/partial"))?;
        fs::create_dir_all(apt.folder.join("cache/archives/partial"))?;
        let suites = [
            ("debian", "bookworm"),
            ("debian-security", "bookworm-security"),
        ];
        let suites = suites.into_iter().chain([("debian", "bookworm-backports")]);
        let sources = suites.map(|(archive, suite)| {
            format!(
                "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] \
                 http://deb.debian.org/{archive} {suite} main\n"
            )
        });
        fs::write(apt.folder.join("sources.list"), sources.collect::<String>())?;
        step::quiet("Debian's package lists", apt.get().arg("update"))?;
        Ok(apt)
    }

    fn get(&self) -> Command {
        self.command(debian::apt())
    }

    fn cache(&self) -> Command {
        self.command(Command::new("apt-cache"))
    }

    fn command(&self, mut command: Command) -> Command {
        let folder = self.folder.display();
        for option in [
            format!("Dir::Etc::SourceList={folder}/sources.list"),
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            format!("Dir::State::Lists={folder}/lists"),
            format!("Dir::Cache={folder}/cache"),
            // The download is into a folder that apt's own user may not enter.
            "APT::Sandbox::User=root".to_owned(),
        ] {
            command.args(["-o", &option]);
        }
        command
    }
}

/// What a command printed.
fn capture(command: &mut Command) -> Result<Vec<u8>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("cannot run {name}"))?;
    if !output.status.success() {
        bail!(
            "{name} failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(output.stdout)
}

fn which(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .with_context(|| format!("{name} is not installed; run: cargo xtask setup"))
}

/// The first file under `folder` whose name suits.
fn find(folder: &Path, suits: &dyn Fn(&str) -> bool) -> Option<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    entries.sort();
    entries.into_iter().find_map(|path| {
        if path.is_dir() {
            return find(&path, suits);
        }
        let name = path.file_name()?.to_str()?;
        suits(name).then(|| path.clone())
    })
}
