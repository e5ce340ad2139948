//! Kueue's generator files: nothing panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use suanpan_sim::workload::kueue;

fuzz_target!(|text: &str| {
    if let Ok(loaded) = kueue::read(text, "x") {
        assert!(loaded.workload.jobs.iter().all(|job| job.processors > 0));
    }
});
