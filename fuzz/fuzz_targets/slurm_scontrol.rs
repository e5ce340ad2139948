//! What `scontrol show node` and `scontrol show partition` print: nothing panics, and what has no
//! name is not there.

#![no_main]

use libfuzzer_sys::fuzz_target;
use suanpan_agent::slurm::parse;

fuzz_target!(|text: &str| {
    assert!(parse::nodes(text).iter().all(|node| !node.name.is_empty()));
    assert!(parse::partitions(text).iter().all(|partition| !partition.name.is_empty()));
});
