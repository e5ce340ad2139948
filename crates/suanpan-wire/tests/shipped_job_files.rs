//! Every job file that is shipped as an example or a lab must be readable and mean something.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use suanpan_model::time::Timestamp;
use suanpan_wire::jobfile::{sbatch, yaml};
use suanpan_wire::v1::interpret::{Context, MEMORY_PER_CPU_DEFAULT};
use suanpan_wire::v1::submit::SubmitJob;

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else if ["sbatch", "yaml"].iter().any(|end| path.extension().is_some_and(|e| e == *end)) {
            found.push(path);
        }
    }
}

fn read(path: &Path) -> Result<SubmitJob, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let result = if path.extension().is_some_and(|end| end == "yaml") {
        yaml::read_yaml(&text).map(|file| file.job)
    } else {
        sbatch::read_script(&text, "job", &BTreeMap::new(), Vec::new(), &[]).map(|file| file.job)
    };
    result.map_err(|errors| format!("{errors:#?}"))
}

#[test]
fn are_read_and_interpreted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    collect(&root.join("examples"), &mut files);
    collect(&root.join("labs"), &mut files);
    assert!(files.len() >= 5, "only {} job files found", files.len());
    for path in files {
        let mut job = read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // The client measures local inputs.
        job.inputs.iter_mut().for_each(|input| input.bytes = Some(0));
        job.submit_dir = Some("/home/ann".to_owned());
        let context = Context {
            now: Timestamp(1_768_449_600_000_000),
            user: "ann",
            project: "ann",
            memory_per_cpu: MEMORY_PER_CPU_DEFAULT,
            datasets: &std::collections::BTreeMap::new(),
        };
        if let Err(errors) = job.interpret(&context) {
            panic!("{}: {errors:#?}", path.display());
        }
    }
}
