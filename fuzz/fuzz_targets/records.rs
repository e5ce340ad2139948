//! Records of a journal, one a line, as a workload: nothing panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use suanpan_sim::problem::Strictness;
use suanpan_sim::workload::journal::Fold;

fuzz_target!(|bytes: &[u8]| {
    let mut fold = Fold::new("x", Strictness::Skip);
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        fold.record(index as u64 + 1, line).expect("it skips");
    }
    assert!(fold.finish().workload.jobs.iter().all(|job| job.processors > 0));
});
