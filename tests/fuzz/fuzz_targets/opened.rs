//! What is in a ticket that was opened.

#![no_main]

libfuzzer_sys::fuzz_target!(|part: &[u8]| goshawk_fuzz::opened(part));
