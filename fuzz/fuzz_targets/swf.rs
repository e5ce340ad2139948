//! See `fuzz_targets::logs::swf`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::logs::swf(bytes));
