//! Experiment files: every refusal says what would be right: nothing panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::Path;
use suanpan_sim::experiment::file;

fuzz_target!(|text: &str| {
    match file::parse(text, "x", Path::new("")) {
        Ok(experiment) => assert!(!experiment.policies.is_empty() && !experiment.seeds.is_empty()),
        Err(problem) => assert!(!problem.expected.is_empty()),
    }
});
