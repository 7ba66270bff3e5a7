//! DCE/RPC over TCP, with the tokens in its binds.

#![no_main]

use goshawk_fuzz::{Speech, run};

libfuzzer_sys::fuzz_target!(|story: &[u8]| run(Speech::Tcp(135), story));
