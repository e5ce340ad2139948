//! See `fuzz_targets::sites::peer_frame`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::sites::peer_frame(bytes));
