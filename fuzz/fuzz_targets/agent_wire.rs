//! See `fuzz_targets::sites::agent_wire`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::sites::agent_wire(bytes));
