//! Datasets a job reads and makes.

use super::launch::inside;
use super::{Check, Context};
use crate::v1::submit::SubmitJob;
use std::collections::BTreeSet;
use suanpan_model::dataset::{DatasetName, DatasetRef};
use suanpan_model::id::{BlobHash, DatasetId};
use suanpan_model::job::{DatasetMount, InputNeed, PublishOutput};

/// A version of a dataset, as far as a job that reads it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownDataset {
    /// Its id.
    pub id: DatasetId,
    /// Its version.
    pub version: u32,
    /// Its manifest.
    pub manifest: BlobHash,
    /// Its size.
    pub bytes: u64,
}

/// What the job reads: how it finds each dataset, and what placement needs to know of it.
pub(super) fn datasets(
    job: &SubmitJob,
    context: &Context<'_>,
    check: &mut Check,
) -> (Vec<DatasetMount>, Vec<InputNeed>) {
    let (mut mounts, mut needs) = (Vec::new(), Vec::new());
    let mut paths = BTreeSet::new();
    for (index, input) in job.datasets.iter().enumerate() {
        let field = format!("datasets[{index}].dataset");
        let path = check.read(&format!("datasets[{index}].to"), input.to.as_ref(), inside);
        let named = check.read(&field, Some(&input.dataset), str::parse::<DatasetRef>);
        let Some(named) = named else { continue };
        let Some(known) = context.datasets.get(&named) else {
            let expected = "a dataset that exists; `suanpan data ls` lists them";
            check.refuse(&field, &input.dataset, expected);
            continue;
        };
        if path.as_ref().is_some_and(|path| !paths.insert(path.clone())) {
            let twice = path.as_deref().unwrap_or_default();
            check.refuse("datasets", twice, "each path once");
        }
        let (version, manifest) = (known.version, known.manifest);
        mounts.push(DatasetMount { name: named.name, version, manifest, path });
        needs.push(InputNeed { at: None, bytes: known.bytes, dataset: Some(known.id) });
    }
    needs.sort();
    needs.dedup();
    (mounts, needs)
}

/// What becomes a dataset once the job has succeeded.
pub(super) fn publish(job: &SubmitJob, check: &mut Check) -> Vec<PublishOutput> {
    let mut outputs: Vec<PublishOutput> = Vec::new();
    for (index, output) in job.publish.iter().enumerate() {
        let field = |part: &str| format!("publish[{index}].{part}");
        let name = check.read(&field("dataset"), Some(&output.dataset), str::parse::<DatasetName>);
        let path = check.read(&field("path"), Some(&output.path), inside);
        let (Some(name), Some(path)) = (name, path) else { continue };
        if outputs.iter().any(|other| other.name == name) {
            check.refuse(field("dataset"), &output.dataset, "each dataset once");
        }
        outputs.push(PublishOutput { name, path });
    }
    outputs
}
