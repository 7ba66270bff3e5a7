//! DCE/RPC behind a greeting of HTTP.

#![no_main]

use goshawk_fuzz::{Speech, run};

libfuzzer_sys::fuzz_target!(|story: &[u8]| run(Speech::Tcp(593), story));
