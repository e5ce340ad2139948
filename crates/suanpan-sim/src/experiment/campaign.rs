//! All runs of an experiment: side by side on a fixed number of threads, each into files of its
//! own, so that an interrupted campaign goes on where it stopped.
//!
//! A run's files are `runs/<policy>-seed-<seed>.csv`, one line a job, and the same name with
//! `.json`, which is written last and holds the run's *key*: a hash of everything the run depends
//! on. A run whose key and whose file's hash are still right is not repeated.

use super::digest::Digest;
use super::source::Sources;
use super::{Experiment, Policy, run};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The version of what is written; a change of meaning changes it.
pub const SCHEMA: &str = "suanpan.simulation/1";

/// Who watches a campaign and may stop it.
pub trait Watch: Sync {
    /// Whether no further run is to begin.
    fn is_stopping(&self) -> bool;
    /// A run has ended: so many of so many, with so many jobs.
    fn finished(&self, done: usize, of: usize, jobs: u64);
}

/// A run that is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`SCHEMA`].
    pub schema: String,
    /// Hash of everything it depends on.
    pub key: String,
    /// Its policy.
    pub policy: String,
    /// Its seed.
    pub seed: u64,
    /// Its per-job file, below the output directory.
    pub file: String,
    /// Hash of that file (BLAKE3).
    pub file_hash: String,
    /// Jobs that the site could never run and that were left out.
    pub left_out: u64,
    /// What it comes to.
    pub digest: Digest,
}

/// What a campaign did.
pub struct Done {
    /// The runs, policy by policy, each with its seeds in order; `None` where it was stopped
    /// before.
    pub runs: Vec<Vec<Option<RunRecord>>>,
    /// Runs taken over from an earlier time.
    pub reused: usize,
    /// Runs done now.
    pub ran: usize,
}

impl Done {
    /// All runs, if none is missing.
    #[must_use]
    pub fn complete(&self) -> Option<Vec<Vec<RunRecord>>> {
        self.runs.iter().map(|seeds| seeds.iter().cloned().collect()).collect()
    }
}

/// What a campaign needs to know besides the experiment.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Where output goes.
    pub out: PathBuf,
    /// Runs at a time.
    pub threads: usize,
    /// Whether runs of an earlier time are taken over.
    pub reuse: Reuse,
}

/// Whether runs of an earlier time are taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reuse {
    /// Those that are still right.
    #[default]
    WhatIsRight,
    /// None.
    Nothing,
}

struct Task<'e> {
    policy: &'e Policy,
    seed: u64,
    stem: String,
    key: String,
}

/// Does every run that is not done yet. The bytes written do not depend on the number of threads.
///
/// # Errors
/// The output cannot be written.
pub fn run(
    experiment: &Experiment,
    sources: &Sources<'_>,
    setting: &Setting,
    watch: &dyn Watch,
) -> anyhow::Result<Done> {
    let folder = setting.out.join("runs");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let tasks = tasks(experiment, sources);
    let mut records: Vec<Option<RunRecord>> = match setting.reuse {
        Reuse::WhatIsRight => tasks.iter().map(|task| earlier(&setting.out, task)).collect(),
        Reuse::Nothing => tasks.iter().map(|_| None).collect(),
    };
    let reused = records.iter().flatten().count();
    let open: Vec<usize> = (0..tasks.len()).filter(|index| records[*index].is_none()).collect();
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(reused);
    let results = Mutex::new(Vec::new());
    let worker = || {
        while !watch.is_stopping() {
            let Some(&index) = open.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
            let result = one(experiment, sources, &setting.out, &tasks[index]);
            let jobs = result.as_ref().map_or(0, |(_, jobs)| *jobs);
            let failed = result.is_err();
            let result = result.map(|(record, _)| record);
            results.lock().expect("no worker panics while it holds this").push((index, result));
            watch.finished(done.fetch_add(1, Ordering::Relaxed) + 1, tasks.len(), jobs);
            if failed {
                next.store(open.len(), Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..setting.threads.clamp(1, open.len().max(1)) {
            scope.spawn(worker);
        }
    });
    let results = results.into_inner().expect("no worker panics while it holds this");
    let ran = results.len();
    for (index, result) in results {
        records[index] = Some(result?);
    }
    let mut records = records.into_iter();
    let seeds = experiment.seeds.len();
    let runs = experiment.policies.iter().map(|_| records.by_ref().take(seeds).collect()).collect();
    Ok(Done { runs, reused, ran })
}

fn tasks<'e>(experiment: &'e Experiment, sources: &Sources<'_>) -> Vec<Task<'e>> {
    let mut tasks = Vec::new();
    for policy in &experiment.policies {
        for &seed in &experiment.seeds {
            let mut key = common_key(experiment, sources, seed);
            key.update(format!("{:?} {seed}", policy.rule).as_bytes());
            let stem = format!("{}-seed-{seed}", file_word(&policy.name));
            tasks.push(Task { policy, seed, stem, key: key.finalize().to_hex().to_string() });
        }
    }
    tasks
}

/// A hash of what all runs of a seed depend on: what is written of the workload and the site, what
/// the logs hold, and the version of this program.
fn common_key(experiment: &Experiment, sources: &Sources<'_>, seed: u64) -> blake3::Hasher {
    let mut key = blake3::Hasher::new();
    key.update(format!("{SCHEMA} {}", env!("CARGO_PKG_VERSION")).as_bytes());
    for (source, logs) in sources.logs() {
        match sources.log(logs, seed) {
            Some(log) => {
                key.update(how_read(&source.origin).as_bytes());
                key.update(log.hash.as_bytes());
            }
            None => {
                key.update(format!("{:?}", source.origin).as_bytes());
            }
        }
        key.update(format!("{} {:?}", source.name, source.scale).as_bytes());
        if let Some(binding) = &source.binding {
            key.update(format!("{binding:?}").as_bytes());
        }
    }
    let Experiment { site, metrics, .. } = experiment;
    key.update(format!("{:?} {}", site.model, metrics.bounded_slowdown_s).as_bytes());
    key
}

/// How a log is read and how many jobs are drawn from it. Where it lies does not matter, only what
/// it holds.
fn how_read(origin: &super::Origin) -> String {
    match origin {
        super::Origin::Log(log) => reading(log),
        super::Origin::Fitted { log, jobs } => format!("{} fitted {jobs}", reading(log)),
        super::Origin::Lublin { .. } => String::new(),
    }
}

fn reading(log: &super::Log) -> String {
    let super::Log { format, filter, processors, zone, window, .. } = log;
    format!("{format:?} {filter:?} {processors:?} {zone:?} {window:?}")
}

/// A name as part of a file's name.
pub(super) fn file_word(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '_' | '.');
    name.chars().map(|c| if plain(c) { c.to_ascii_lowercase() } else { '-' }).collect()
}

/// The record of a run that is already there and still right.
fn earlier(out: &Path, task: &Task<'_>) -> Option<RunRecord> {
    let text = fs::read(out.join("runs").join(format!("{}.json", task.stem))).ok()?;
    let record: RunRecord = serde_json::from_slice(&text).ok()?;
    if record.schema != SCHEMA || record.key != task.key {
        return None;
    }
    let mut hasher = blake3::Hasher::new();
    std::io::copy(&mut File::open(out.join(&record.file)).ok()?, &mut hasher).ok()?;
    (hasher.finalize().to_hex().as_str() == record.file_hash).then_some(record)
}

fn one(
    experiment: &Experiment,
    sources: &Sources<'_>,
    out: &Path,
    task: &Task<'_>,
) -> anyhow::Result<(RunRecord, u64)> {
    let input = sources.input(task.seed)?;
    let finished = run::run(experiment, &input, task.policy.rule, task.seed)
        .with_context(|| format!("policy {}, seed {}", task.policy.name, task.seed))?;
    drop(input);
    let file = format!("runs/{}.csv", task.stem);
    let file_hash = write_hashed(&out.join(&file), |to| finished.rows.write(to))?;
    let record = RunRecord {
        schema: SCHEMA.to_owned(),
        key: task.key.clone(),
        policy: task.policy.name.clone(),
        seed: task.seed,
        file,
        file_hash,
        left_out: finished.left_out,
        digest: finished.digest,
    };
    let text = serde_json::to_string(&record).expect("a record is plain data");
    let path = out.join("runs").join(format!("{}.json", task.stem));
    write_hashed(&path, |to| to.write_all(text.as_bytes()))?;
    Ok((record, finished.rows.len() as u64))
}

/// Passes bytes on and hashes them.
struct Hashing<W> {
    inner: W,
    hasher: blake3::Hasher,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// Writes a file beside its place and then moves it there, so that a file that is there is whole.
/// Answers the hash of what was written.
pub(crate) fn write_hashed(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> anyhow::Result<String> {
    let unfinished = path.with_extension("part");
    let told = || format!("cannot write {}", path.display());
    let file = File::create(&unfinished).with_context(told)?;
    let hashing = Hashing { inner: file, hasher: blake3::Hasher::new() };
    let mut out = BufWriter::with_capacity(1 << 18, hashing);
    write(&mut out).and_then(|()| out.flush()).with_context(told)?;
    let hashing = out.into_inner().map_err(|error| error.into_error()).with_context(told)?;
    fs::rename(&unfinished, path).with_context(told)?;
    Ok(hashing.hasher.finalize().to_hex().to_string())
}

#[cfg(test)]
mod tests {
    /// Of a run that is resumed the report is made from its record: a number that came back
    /// another one, by a bit, would be another report.
    #[test]
    fn a_record_gives_back_every_digit() {
        // Read wrong by serde_json without its feature `float_roundtrip`.
        let text = "115299.29988338535";
        let number: f64 = serde_json::from_str(text).expect("a number");
        assert_eq!(number.to_bits(), text.parse::<f64>().expect("a number").to_bits());
    }
}
