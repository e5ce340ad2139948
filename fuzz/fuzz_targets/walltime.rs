//! See `fuzz_targets::values::walltime`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::values::walltime(bytes));
