//! See `fuzz_targets::jobs::sbatch`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::jobs::sbatch(bytes));
