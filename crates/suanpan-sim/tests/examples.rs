//! The shipped experiments are right.

use std::fs;
use std::path::Path;
use suanpan_sim::experiment::{Origin, file};

#[test]
fn every_example_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/simulator");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).expect("examples").map(|entry| entry.expect("an entry")) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let text = fs::read_to_string(entry.path()).expect("text");
        let experiment =
            file::parse(&text, &name, &folder).unwrap_or_else(|error| panic!("{error}"));
        assert!(experiment.policies.len() > 1, "{name} compares nothing");
        for source in &experiment.workload {
            if let Origin::Log(log) = &source.origin {
                assert!(log.path.starts_with(&folder), "{name}: a log lies beside its experiment");
            }
        }
        names.push(name);
    }
    assert!(names.len() >= 6, "{names:?}");
}
