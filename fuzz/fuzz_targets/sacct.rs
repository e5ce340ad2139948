//! See `fuzz_targets::logs::sacct`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::logs::sacct(bytes));
