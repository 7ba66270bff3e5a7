//! NetBIOS's datagrams, and the mailslots in them.

#![no_main]

use goshawk_fuzz::{Speech, run};

libfuzzer_sys::fuzz_target!(|story: &[u8]| run(Speech::Udp(138), story));
