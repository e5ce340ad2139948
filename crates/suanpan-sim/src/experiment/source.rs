//! Makes the workload of a seed: reads logs once, draws the rest.

use super::{Experiment, Log, Origin, Scale, SiteModel, Source};
use crate::input;
use crate::streams::{Stream, stream};
use crate::workload::generate::{fitted::Fitted, lublin};
use crate::workload::job::{Loaded, Workload};
use crate::workload::{Format, journal};
use rand::RngExt;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The logs of an experiment, read, and from them the workload of any seed.
pub struct Sources<'e> {
    experiment: &'e Experiment,
    logs: Vec<Option<ReadLog>>,
    /// The workload, if every seed has the same.
    same: Option<Arc<Workload>>,
}

/// A log that was read.
#[derive(Debug)]
pub struct ReadLog {
    /// Where it is.
    pub path: PathBuf,
    /// Hash of what the file holds, uncompressed.
    pub hash: blake3::Hash,
    /// What was read, and what not.
    pub loaded: Loaded,
}

/// Reads a log as its format says.
///
/// # Errors
/// The file cannot be read or is no text, or a [`Problem`](crate::problem::Problem) that ends the
/// import.
pub fn read_log(log: &Log) -> anyhow::Result<ReadLog> {
    let shown = log.path.display().to_string();
    if log.format == Format::Journal {
        let (loaded, hash) = journal::read(&log.path, log.strictness)?;
        return Ok(ReadLog { path: log.path.clone(), hash, loaded });
    }
    let bytes = input::read(&log.path)?;
    let hash = blake3::hash(&bytes);
    let loaded = crate::workload::read(&bytes, &shown, log)?;
    Ok(ReadLog { path: log.path.clone(), hash, loaded })
}

impl<'e> Sources<'e> {
    /// Reads every log that the experiment names, each once.
    ///
    /// # Errors
    /// As [`read_log`]; a log without a job.
    pub fn open(experiment: &'e Experiment) -> anyhow::Result<Sources<'e>> {
        let mut logs = Vec::new();
        for source in &experiment.workload {
            logs.push(match &source.origin {
                Origin::Lublin { .. } => None,
                Origin::Log(log) | Origin::Fitted { log, .. } => {
                    let read = read_log(log)?;
                    anyhow::ensure!(
                        !read.loaded.workload.jobs.is_empty(),
                        "{} has no job that can run",
                        log.path.display()
                    );
                    Some(read)
                }
            });
        }
        let mut sources = Sources { experiment, logs, same: None };
        let drawn =
            |source: &Source| !matches!(source.origin, Origin::Log(_)) || source.scale.shake_s > 0;
        if !experiment.workload.iter().any(drawn) {
            sources.same = Some(Arc::new(sources.draw(0)));
        }
        Ok(sources)
    }

    /// The logs, beside the sources they belong to.
    pub fn logs(&self) -> impl Iterator<Item = (&Source, Option<&ReadLog>)> {
        self.experiment.workload.iter().zip(self.logs.iter().map(Option::as_ref))
    }

    /// Whether seeds differ in their workload.
    #[must_use]
    pub fn differ_by_seed(&self) -> bool {
        self.same.is_none()
    }

    /// The workload of a seed.
    #[must_use]
    pub fn workload(&self, seed: u64) -> Arc<Workload> {
        match &self.same {
            Some(same) => Arc::clone(same),
            None => Arc::new(self.draw(seed)),
        }
    }

    fn draw(&self, seed: u64) -> Workload {
        let mut parts = Vec::new();
        for (index, (source, log)) in self.logs().enumerate() {
            // Sources of one experiment are drawn from streams of their own.
            let seed = seed ^ ((index as u64) << 48);
            let mut part = match (&source.origin, log) {
                (Origin::Lublin { model, jobs }, _) => lublin::generate(model, *jobs, seed),
                (Origin::Fitted { jobs, .. }, Some(log)) => {
                    Fitted::new(&log.loaded.workload).draw(*jobs, seed)
                }
                (_, Some(log)) => log.loaded.workload.clone(),
                (_, None) => Workload::default(),
            };
            let SiteModel::Batch { processors, .. } = self.experiment.site.model;
            scaled(&mut part, source.scale, processors.into(), seed);
            parts.push((source.name.as_str(), part));
        }
        match parts.len() {
            1 => parts.remove(0).1,
            _ => mixed(parts),
        }
    }
}

fn scaled(workload: &mut Workload, scale: Scale, processors: u64, seed: u64) {
    if let Some(first) = scale.first {
        workload.jobs.truncate(usize::try_from(first).unwrap_or(usize::MAX));
    }
    if let Some(factor) = scale.arrivals {
        workload.scale_arrivals(factor);
    }
    if let Some(load) = scale.load {
        workload.scale_to_load(processors, load);
    }
    if scale.shake_s > 0 {
        let mut random = stream(seed, Stream::Arrivals);
        for job in &mut workload.jobs {
            let moved = job.submit_s + random.random_range(0..=2 * scale.shake_s);
            job.submit_s = moved.saturating_sub(scale.shake_s);
        }
        workload.jobs.sort_by_key(|job| (job.submit_s, job.id));
    }
}

/// All sources as one workload: jobs are numbered anew, and their queue is their source.
fn mixed(parts: Vec<(&str, Workload)>) -> Workload {
    let mut all = Workload::default();
    let mut users: BTreeMap<(usize, u32), u32> = BTreeMap::new();
    for (index, (name, part)) in parts.iter().enumerate() {
        let queue = all.queues.number(name);
        for job in &part.jobs {
            let user = *users.entry((index, job.user)).or_insert_with(|| {
                all.users.number(&match part.users.name(job.user) {
                    "" => String::new(),
                    user => format!("{name}/{user}"),
                })
            });
            all.jobs.push(crate::workload::job::Job { user, queue, ..*job });
        }
    }
    all.jobs.sort_by_key(|job| (job.submit_s, job.queue, job.id));
    for (index, job) in all.jobs.iter_mut().enumerate() {
        job.id = index as u64 + 1;
    }
    all
}
