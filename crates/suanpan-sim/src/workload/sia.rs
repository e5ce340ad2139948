//! Sia's workloads (SOSP'23): training jobs, and the measured profiles of the models they train.
//!
//! A workload is a table `name,time,application,num_replicas,batch_size`, sorted by time. A
//! model's profile is a folder with, per GPU type, `placements-TYPE.csv` (step times by GPUs per
//! node) and `scalability-TYPE.csv` (step times further out, by nodes and GPUs), and per batch size
//! `validation-BATCH.csv` (what an epoch learnt). Pollux (OSDI'21) made the first of them.

use std::path::Path;

use anyhow::{Context, anyhow, ensure};
use suanpan_sched::elastic::Shape;
use suanpan_sched::elastic::model::Model;
use suanpan_sched::elastic::step_times::{Far, Measured, StepTimes, Times};
use suanpan_sched::elastic::training::{Epoch, Training};
use suanpan_site::model::elastic::TrainingJob;

use super::table::{self, Row};
use crate::input;
use crate::problem::{Imported, Problem, Strictness};

/// Reads a workload.
///
/// # Errors
/// A column is missing; or, if strict, the first bad line.
pub fn parse(
    name: &str,
    text: &str,
    strictness: Strictness,
) -> Result<Imported<TrainingJob>, Problem> {
    let columns = ["name", "time", "application", "num_replicas", "batch_size"];
    table::read(name, text, strictness, &columns, |row| {
        Ok(TrainingJob {
            name: filled(row, 0)?.to_owned(),
            submitted_s: row
                .number(1, "seconds, not negative", |s: f64| (0.0..1e12).contains(&s))?,
            model: filled(row, 2)?.to_owned(),
            gpus: row.number(3, "GPUs, 1 to 4096", |gpus| (1..=4096).contains(&gpus))?,
            batch: row
                .number(4, "samples, 1 to 10^8", |batch| (1..=BATCH_MOST).contains(&batch))?,
        })
    })
}

const BATCH_MOST: u32 = 100_000_000;

fn filled<'a>(row: &Row<'a>, column: usize) -> Result<&'a str, Problem> {
    row.text(column).and_then(|text| {
        if text.is_empty() { Err(row.problem(column, "a name")) } else { Ok(text) }
    })
}

fn measured(row: &Row<'_>) -> Result<Measured, Problem> {
    let seconds = |s: f64| s.is_finite() && s >= 0.0;
    Ok(Measured {
        local_batch: row.number(0, "samples, 1 to 10^8", |b| (1..=BATCH_MOST).contains(&b))?,
        times: Times {
            step_s: row.number(1, "seconds, more than 0", |s| seconds(s) && s > 0.0)?,
            sync_s: row.number(2, "seconds, not negative", seconds)?,
        },
    })
}

/// Reads step times by shape. A placement is written as one digit of GPUs per node: `42`.
///
/// # Errors
/// A column is missing; or, if strict, the first bad line.
pub fn parse_placements(
    name: &str,
    text: &str,
    strictness: Strictness,
) -> Result<Imported<(Shape, Measured)>, Problem> {
    let columns = ["local_bsz", "step_time", "sync_time", "placement"];
    table::read(name, text, strictness, &columns, |row| {
        let digits = row.text(3)?;
        let gpus: Option<Vec<u32>> = digits.chars().map(|digit| digit.to_digit(10)).collect();
        let right = |gpus: &Vec<u32>| !gpus.is_empty() && gpus.len() <= 64 && !gpus.contains(&0);
        let gpus = gpus.filter(right);
        let gpus = gpus.ok_or_else(|| row.problem(3, "a digit from 1 to 9 for each node"))?;
        Ok((Shape::new(gpus), measured(row)?))
    })
}

/// Reads step times by (nodes, GPUs).
///
/// # Errors
/// A column is missing; or, if strict, the first bad line.
pub fn parse_scalability(
    name: &str,
    text: &str,
    strictness: Strictness,
) -> Result<Imported<Far>, Problem> {
    let columns = ["local_bsz", "step_time", "sync_time", "num_nodes", "num_replicas"];
    table::read(name, text, strictness, &columns, |row| {
        let nodes = row.number(3, "nodes, 1 to 4096", |nodes| (1..=4096).contains(&nodes))?;
        let gpus = row.number(4, "GPUs, at least as many as nodes", |gpus| {
            (nodes..=65_536).contains(&gpus)
        })?;
        Ok(Far { nodes, gpus, measured: measured(row)? })
    })
}

/// Reads what each epoch of a recorded run learnt.
///
/// # Errors
/// A column is missing; or, if strict, the first bad line.
pub fn parse_validation(
    name: &str,
    text: &str,
    strictness: Strictness,
) -> Result<Imported<Epoch>, Problem> {
    let columns = ["progress", "grad_sqr", "grad_var"];
    table::read(name, text, strictness, &columns, |row| {
        let positive = |x: f64| x.is_finite() && x >= 0.0;
        Ok(Epoch {
            progress: row.number(0, "steps, not negative", positive)?,
            gradient_squared: row.number(1, "a number, not negative", positive)?,
            gradient_variance: row.number(2, "a number, not negative", positive)?,
        })
    })
}

/// What the profiles do not say and Sia's public simulator states in its code, measured on the
/// authors' clusters: seconds of a checkpoint and restore, and how much slower than in the
/// profile the program runs.
const PROGRAMS: [(&str, u32, f64); 6] = [
    ("bert", 120, 1.2),
    ("cifar10", 50, 1.8),
    ("deepspeech2", 25, 1.2),
    ("imagenet", 250, 1.2),
    ("ncf", 15, 1.5),
    ("yolov3", 80, 1.2),
];

/// Reads the profiles of all models in a folder, for GPU types by the names in the files. The
/// pipeline-parallel model `gpt_pmp` is left out: it scales by other rules.
///
/// # Errors
/// The folder or a file cannot be read, or a file has a bad line.
pub fn profiles(folder: &Path, gpu_types: &[&str]) -> anyhow::Result<Vec<Model>> {
    let mut models = Vec::new();
    for (name, restart_s, slowdown) in PROGRAMS {
        let of = folder.join(name);
        if !of.is_dir() {
            continue;
        }
        let step_times = gpu_types.iter().map(|gpus| step_times(&of, gpus));
        let mut step_times: Vec<Option<StepTimes>> = step_times.collect::<Result<_, _>>()?;
        // The simulator bounds deepspeech2 on the 2080 Ti below what its profile reached.
        for (times, gpus) in step_times.iter_mut().zip(gpu_types) {
            if name == "deepspeech2" && *gpus == "rtx" {
                *times = times.take().map(|times| times.limited_to(57));
            }
        }
        let training = training(&of)?;
        models.push(Model { name: name.to_owned(), training, step_times, restart_s, slowdown });
    }
    ensure!(!models.is_empty(), "no profile of a known model in {}", folder.display());
    Ok(models)
}

/// A file parsed strictly: a profile with a hole would change results silently.
fn strictly<T>(
    path: &Path,
    parse: impl Fn(&str, &str, Strictness) -> Result<Imported<T>, Problem>,
) -> anyhow::Result<Vec<T>> {
    let text = String::from_utf8(input::read(path)?)
        .with_context(|| format!("{} is not UTF-8", path.display()))?;
    Ok(parse(&path.display().to_string(), &text, Strictness::Strict)?.items)
}

fn step_times(folder: &Path, gpus: &str) -> anyhow::Result<Option<StepTimes>> {
    let placements = folder.join(format!("placements-{gpus}.csv"));
    let scalability = folder.join(format!("scalability-{gpus}.csv"));
    if !placements.is_file() {
        return Ok(None);
    }
    let shapes = strictly(&placements, parse_placements)?;
    let far = strictly(&scalability, parse_scalability)?;
    Ok(StepTimes::new(shapes, far))
}

fn training(folder: &Path) -> anyhow::Result<Training> {
    let listed =
        std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut runs = Vec::new();
    for entry in listed {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let batch = name.strip_prefix("validation-").and_then(|rest| rest.split('.').next());
        if let Some(batch) = batch.and_then(|digits| digits.parse().ok()) {
            runs.push((batch, strictly(&path, parse_validation)?));
        }
    }
    Training::new(runs).ok_or_else(|| anyhow!("no validation-BATCH.csv in {}", folder.display()))
}

#[cfg(test)]
mod tests;
