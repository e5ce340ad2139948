//! See `fuzz_targets::logs::philly`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::logs::philly(bytes));
