//! See `fuzz_targets::jobs::manifest`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::jobs::manifest(bytes));
