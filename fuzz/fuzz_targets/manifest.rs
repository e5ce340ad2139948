//! Bodies of `POST /v1/datasets`: nothing panics, and a manifest that is accepted survives being
//! written and read, stays inside its directory and can be laid out as files there.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;
use std::path::{Component, Path};
use suanpan_model::dataset::{DatasetName, Manifest};
use suanpan_wire::v1::RegisterDataset;

fuzz_target!(|body: &[u8]| {
    let Ok(asked) = serde_json::from_slice::<RegisterDataset>(body) else { return };
    if let Ok(name) = asked.name.parse::<DatasetName>() {
        assert_eq!(name.to_string(), asked.name);
    }
    let written = serde_json::to_vec(&asked.manifest).expect("a manifest can be written");
    let read: Manifest = serde_json::from_slice(&written).expect("and read");
    assert_eq!(read, asked.manifest);
    if read.check().is_err() {
        return;
    }
    assert_eq!(read.bytes(), read.chunks().map(|chunk| u64::from(chunk.bytes)).sum::<u64>());
    let files: BTreeSet<&Path> = read.files.iter().map(|file| Path::new(&file.path)).collect();
    assert_eq!(files.len(), read.files.len(), "each path once");
    for path in &files {
        assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
        let above = path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty());
        assert!(above.into_iter().all(|above| !files.contains(above)), "{path:?} can be made");
    }
});
