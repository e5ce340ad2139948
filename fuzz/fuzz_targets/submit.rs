//! See `fuzz_targets::jobs::submit`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::jobs::submit(bytes));
