//! See `fuzz_targets::sites::slurm_sacct`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::sites::slurm_sacct(bytes));
