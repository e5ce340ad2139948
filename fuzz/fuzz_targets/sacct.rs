//! Dumps of Slurm's sacct, in a zone with summer time: nothing panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use suanpan_sim::problem::Strictness;
use suanpan_sim::workload::sacct;

fuzz_target!(|text: &str| {
    let zone = jiff::tz::TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
    if let Ok(loaded) = sacct::read(text, "x", &zone, Strictness::Skip) {
        assert!(loaded.workload.jobs.iter().all(|job| job.processors > 0));
    }
});
