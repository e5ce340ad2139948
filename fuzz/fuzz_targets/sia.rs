//! Sia's workloads and the files of its profiles: nothing panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use suanpan_sim::problem::Strictness;
use suanpan_sim::workload::sia;

fuzz_target!(|text: &str| {
    let _ = sia::parse("x", text, Strictness::Skip);
    let _ = sia::parse_placements("x", text, Strictness::Skip);
    let _ = sia::parse_scalability("x", text, Strictness::Skip);
    let _ = sia::parse_validation("x", text, Strictness::Skip);
});
