//! SMB 1 to 3, and DCE/RPC on its pipes.

#![no_main]

use goshawk_fuzz::{Speech, run};

libfuzzer_sys::fuzz_target!(|story: &[u8]| run(Speech::Tcp(445), story));
