//! YAML job files: nothing panics, every error says what would be right, and lines are in the
//! file.

#![no_main]

use libfuzzer_sys::fuzz_target;
use suanpan_model::memory::Mebibytes;
use suanpan_model::time::Timestamp;
use suanpan_wire::jobfile::yaml::read_yaml;
use suanpan_wire::v1::interpret::Context;

fuzz_target!(|text: &str| {
    match read_yaml(text) {
        Ok(file) => {
            let context = Context {
                now: Timestamp(1_768_449_600_000_000),
                user: "ann",
                project: "ann",
                memory_per_cpu: Mebibytes::new(1_024),
                datasets: &std::collections::BTreeMap::new(),
            };
            let _ = file.job.interpret(&context);
        }
        Err(errors) => {
            // YAML also ends lines at these; an error may stand behind the last line.
            let breaks = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];
            let lines = text.matches(breaks).count() + 2;
            for error in errors {
                assert!(!error.expected.is_empty());
                assert!(error.line.is_none_or(|line| (1..=lines).contains(&line)));
            }
        }
    }
});
