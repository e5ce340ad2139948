//! Our own CSV: what is read is written and reads back the same: nothing panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use suanpan_sim::problem::Strictness;
use suanpan_sim::workload::job::{read_csv, write_csv};

fuzz_target!(|text: &str| {
    let Ok(loaded) = read_csv(text, "x", Strictness::Skip) else { return };
    let mut out = Vec::new();
    write_csv(&loaded.workload, &mut out).expect("memory takes everything");
    let written = String::from_utf8(out.clone()).expect("names are text");
    // A name may hold a line end only inside quotes, which no line of the log can have.
    let back = read_csv(&written, "x", Strictness::Strict).expect("what we write is right");
    let mut again = Vec::new();
    write_csv(&back.workload, &mut again).expect("memory takes everything");
    assert_eq!(out, again);
});
