//! Philly's job list: nothing panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use suanpan_sim::problem::Strictness;
use suanpan_sim::workload::philly;

fuzz_target!(|text: &str| {
    if let Ok(loaded) = philly::read(text, "x", Strictness::Skip) {
        assert!(loaded.workload.jobs.iter().all(|job| job.gpus > 0));
    }
});
