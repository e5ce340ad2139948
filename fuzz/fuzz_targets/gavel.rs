//! See `fuzz_targets::logs::gavel`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::logs::gavel(bytes));
