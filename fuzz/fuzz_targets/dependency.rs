//! See `fuzz_targets::values::dependency`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::values::dependency(bytes));
