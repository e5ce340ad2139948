//! What users submit.

use crate::text;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::{Component, Path};
use suanpan_model::dataset::{DatasetName, Manifest};
use suanpan_model::id::BlobHash;
use suanpan_model::job::JobSpec;
use suanpan_model::memory::Mebibytes;
use suanpan_model::time::Timestamp;
use suanpan_wire::jobfile::sbatch::{Origin, parse_options, read_script};
use suanpan_wire::jobfile::yaml::read_yaml;
use suanpan_wire::v1::RegisterDataset;
use suanpan_wire::v1::interpret::{Context, FieldError, Meant};
use suanpan_wire::v1::submit::SubmitJob;

/// What a job means to a user of no datasets.
fn interpret(job: &SubmitJob) -> Result<Meant, Vec<FieldError>> {
    job.interpret(&Context {
        now: Timestamp(1_768_449_600_000_000),
        user: "ann",
        project: "ann",
        memory_per_cpu: Mebibytes::new(1_024),
        datasets: &BTreeMap::new(),
    })
}

/// `#SBATCH` scripts with variables and a command line: nothing panics, and an accepted job can
/// be interpreted or is refused by name.
///
/// Lines `ENV NAME=value` and `ARG word` before the script feed the environment and the command
/// line.
pub fn sbatch(bytes: &[u8]) {
    let text = text(bytes);
    let (mut environment, mut args) = (BTreeMap::new(), Vec::new());
    let mut script = text;
    while let Some((line, rest)) = script.split_once('\n') {
        if let Some((name, value)) = line.strip_prefix("ENV ").and_then(|l| l.split_once('=')) {
            environment.insert(name.to_owned(), value.to_owned());
        } else if let Some(arg) = line.strip_prefix("ARG ") {
            args.push(arg.to_owned());
        } else {
            break;
        }
        script = rest;
    }
    let Ok((settings, taken)) = parse_options(&args, Origin::CommandLine) else { return };
    let result = read_script(script, "job", &environment, settings, &args[taken..]);
    match result {
        Ok(submission) => {
            let _ = interpret(&submission.job);
        }
        Err(errors) => assert!(errors.iter().all(|error| !error.expected.is_empty())),
    }
}

/// YAML job files: nothing panics, every error says what would be right, and lines are in the
/// file.
pub fn yaml(bytes: &[u8]) {
    let text = text(bytes);
    match read_yaml(text) {
        Ok(file) => {
            let _ = interpret(&file.job);
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
}

/// Bodies of `POST /v1/jobs`: nothing panics, an accepted body survives being written and read,
/// and its meaning does too.
pub fn submit(body: &[u8]) {
    let Ok(job) = serde_json::from_slice::<SubmitJob>(body) else { return };
    let written = serde_json::to_vec(&job).expect("a job can be written");
    assert_eq!(serde_json::from_slice::<SubmitJob>(&written).expect("and read"), job);
    match interpret(&job) {
        Ok(meant) => {
            let spec = meant.into_spec(BlobHash([1; 32]));
            let written = serde_json::to_vec(&spec).expect("a meaning can be written");
            assert_eq!(serde_json::from_slice::<JobSpec>(&written).expect("and read"), spec);
        }
        Err(errors) => assert!(errors.iter().all(|error| !error.expected.is_empty())),
    }
}

/// Bodies of `POST /v1/datasets`: nothing panics, and a manifest that is accepted survives being
/// written and read, stays inside its directory and can be laid out as files there.
pub fn manifest(body: &[u8]) {
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
}
