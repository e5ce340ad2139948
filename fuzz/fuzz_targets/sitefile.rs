//! See `fuzz_targets::sites::sitefile`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::sites::sitefile(bytes));
