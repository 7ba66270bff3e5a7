//! Keytabs.

#![no_main]

use goshawk_decode::Keytab;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(keytab) = Keytab::parse(bytes) {
        assert!(!keytab.to_string().is_empty());
    }
});
