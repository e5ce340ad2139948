//! Every input that fuzzing kept, run again: seeds, and the corpora that runs grew.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A test for each target of each module.
macro_rules! targets {
    ($($module:ident: $($name:ident),+;)+) => {
        const TARGETS: &[&str] = &[$($(stringify!($name)),+),+];
        $(mod $module {
            $(#[test] fn $name() { super::replay(stringify!($name), fuzz_targets::$module::$name) })+
        })+
    };
}

targets! {
    values: walltime, memory, array, dependency, hostlist;
    jobs: sbatch, yaml, submit, manifest;
    sites: sitefile, slurm_squeue, slurm_sacct, slurm_scontrol, agent_wire, peer_frame;
    logs: swf, openb, sia, gavel, philly, kueue, sacct, jobs, records, experiment;
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// Runs a target over its seeds and its corpus; says which input it was if one fails.
fn replay(name: &str, target: fn(&[u8])) {
    let unpacked = tempfile::tempdir().expect("a directory");
    let archive = folder().join("corpus").join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    let status = tar.arg("-C").arg(unpacked.path()).arg("-xzf").arg(&archive).status();
    assert!(status.expect("tar is there").success(), "{} can be unpacked", archive.display());
    let mut inputs = Vec::new();
    for folder in [folder().join("seeds").join(name), unpacked.path().join(name)] {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        inputs.extend(entries.map(|entry| entry.expect("an entry").path()));
    }
    inputs.sort();
    assert!(!inputs.is_empty(), "{name} has inputs");
    for input in inputs {
        let bytes = fs::read(&input).expect("an input can be read");
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(&bytes))) {
            eprintln!("{name}: {}: {}", input.display(), bytes.escape_ascii());
            resume_unwind(panic);
        }
    }
}

#[test]
fn every_target_is_built_and_described() {
    let here: BTreeSet<&str> = TARGETS.iter().copied().collect();
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).expect("the manifest");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let bins = manifest["bin"].as_array().expect("binaries");
    let bins: BTreeSet<&str> = bins.iter().filter_map(|bin| bin["name"].as_str()).collect();
    assert_eq!(here, bins, "targets here and binaries of fuzz/Cargo.toml");
    let readme = fs::read_to_string(folder().join("README.md")).expect("the readme");
    let unnamed: Vec<&&str> =
        here.iter().filter(|name| !readme.contains(&format!("`{name}`"))).collect();
    assert!(unnamed.is_empty(), "fuzz/README.md does not name {unnamed:?}");
}
