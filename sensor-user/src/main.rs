//! The sensor's program.

use std::process::ExitCode;

/// Activities are made by workers and dropped by the engine's thread: with the system's allocator
/// they would wait for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    goshawk_sensor::cli::main()
}
