//! `goshawk-console`: see [`goshawk_console::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    goshawk_console::cli::main()
}
