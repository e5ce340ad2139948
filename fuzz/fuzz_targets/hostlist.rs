//! See `fuzz_targets::values::hostlist`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::values::hostlist(bytes));
