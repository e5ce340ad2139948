//! Gavel's traces and throughputs: nothing panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use suanpan_sim::problem::Strictness;
use suanpan_sim::workload::gavel;

fuzz_target!(|text: &str| {
    let _ = gavel::parse_trace("x", text, Strictness::Skip);
    let _ = gavel::parse_throughputs("x", text, Strictness::Skip);
});
