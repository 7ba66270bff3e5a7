//! The sensor's program.

use std::process::ExitCode;

fn main() -> ExitCode {
    goshawk_sensor::cli::main()
}
