//! See `fuzz_targets::values::array`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::values::array(bytes));
