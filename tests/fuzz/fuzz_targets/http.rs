//! HTTP, as far as it authenticates.

#![no_main]

use goshawk_fuzz::{Speech, run};

libfuzzer_sys::fuzz_target!(|story: &[u8]| run(Speech::Tcp(80), story));
