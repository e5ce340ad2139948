//! What an experiment leaves in its directory.
//!
//! | file | what it is |
//! | --- | --- |
//! | `experiment.toml` | the experiment, as it was read |
//! | `runs/<policy>-seed-<seed>.csv` | one line a job |
//! | `runs/<policy>-seed-<seed>.json` | what the run comes to, and what it depends on |
//! | `summary.json` | what all runs come to together |
//! | `report.html` | the same for people |
//! | `recompute.py` | computes the summary again from `runs/*.csv`, and compares |
//!
//! The per-job files are CSV only; there is no Parquet.

use crate::experiment::campaign::{RunRecord, write_hashed};
use crate::experiment::source::Sources;
use crate::experiment::{Experiment, file};
use crate::report;
use crate::summary::{Summary, summarize};
use anyhow::Context;
use std::fs;
use std::path::Path;

/// The name under which the experiment is kept.
pub const EXPERIMENT: &str = "experiment.toml";

/// Makes the directory ready: a new one, an empty one, or that of an earlier experiment.
///
/// # Errors
/// It holds something else, or cannot be written.
pub fn prepare(out: &Path, experiment_text: &str) -> anyhow::Result<()> {
    if let Ok(mut entries) = fs::read_dir(out)
        && entries.next().is_some()
        && !out.join(EXPERIMENT).is_file()
    {
        anyhow::bail!(
            "{} is not empty and holds no experiment: name a new directory",
            out.display()
        );
    }
    fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    write(&out.join(EXPERIMENT), experiment_text)
}

/// Writes summary, report and script.
///
/// # Errors
/// A file cannot be written.
pub fn conclude(
    out: &Path,
    experiment: &Experiment,
    sources: &Sources<'_>,
    runs: &[Vec<RunRecord>],
) -> anyhow::Result<Summary> {
    let summary = summarize(experiment, sources, runs);
    let text = serde_json::to_string_pretty(&summary).expect("a summary is plain data");
    write(&out.join("summary.json"), &(text + "\n"))?;
    draw(out, &summary)?;
    Ok(summary)
}

/// Writes the report of a summary, and the script that checks it.
///
/// # Errors
/// A file cannot be written.
pub fn draw(out: &Path, summary: &Summary) -> anyhow::Result<()> {
    write(&out.join("report.html"), &report::html(summary))?;
    write(&out.join("recompute.py"), report::RECOMPUTE)
}

/// The summary of a directory.
///
/// # Errors
/// There is none, or it is of another version.
pub fn read_summary(out: &Path) -> anyhow::Result<Summary> {
    let path = out.join("summary.json");
    let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is no summary", path.display()))
}

/// Reads an experiment file.
///
/// # Errors
/// The file cannot be read, or something in it is wrong.
pub fn read_experiment(path: &Path) -> anyhow::Result<(Experiment, String)> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let experiment = file::parse(&text, &path.display().to_string(), folder)?;
    Ok((experiment, text))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    write_hashed(path, |to| to.write_all(text.as_bytes())).map(drop)
}
