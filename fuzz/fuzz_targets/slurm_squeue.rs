//! See `fuzz_targets::sites::slurm_squeue`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::sites::slurm_squeue(bytes));
