//! See `fuzz_targets::logs::jobs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::logs::jobs(bytes));
