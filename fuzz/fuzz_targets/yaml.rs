//! See `fuzz_targets::jobs::yaml`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::jobs::yaml(bytes));
