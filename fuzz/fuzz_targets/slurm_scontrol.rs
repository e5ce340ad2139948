//! See `fuzz_targets::sites::slurm_scontrol`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::sites::slurm_scontrol(bytes));
