//! Frames of any kind: link layers, tunnels, fragments, streams.

#![no_main]

use goshawk_fuzz::{Speech, run};

libfuzzer_sys::fuzz_target!(|story: &[u8]| run(Speech::Frames, story));
