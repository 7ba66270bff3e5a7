//! Puts the kernel program where the daemon embeds it: `target/bpf/sensor-ebpf`, or the file that
//! `GOSHAWK_EBPF` names. Without one an empty file stands in its place, so that the workspace
//! builds without any eBPF tool; such a daemon replays captures and says what it lacks.

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=GOSHAWK_EBPF");
    let workspace_object = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bpf/sensor-ebpf");
    let object = env::var_os("GOSHAWK_EBPF").map_or_else(|| workspace_object.into(), PathBuf::from);
    println!("cargo::rerun-if-changed={}", object.display());
    let program = match fs::read(&object) {
        Ok(program) => program,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let out = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    fs::write(PathBuf::from(out).join("sensor-ebpf"), program)
}
