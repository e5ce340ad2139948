//! See `fuzz_targets::logs::records`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::logs::records(bytes));
