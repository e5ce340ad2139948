//! Makes the workload of a seed: reads logs once, draws the rest.

use super::network::{NetworkModel, Submissions};
use super::run::elastic::Training;
use super::{Experiment, Log, Origin, Profiles, Scale, SiteModel, Source};
use crate::input;
use crate::problem::{Problem, Strictness};
use crate::replay::packing::Study;
use crate::streams::{Stream, stream};
use crate::workload::gavel::{self, Throughput};
use crate::workload::generate::{fitted::Fitted, lublin};
use crate::workload::job::Workload;
use crate::workload::openb::{self, OpenbNode, OpenbPod};
use crate::workload::{Content, Format, journal, sia};
use anyhow::Context;
use rand::RngExt;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use suanpan_sched::elastic::model::Model;

/// The logs of an experiment, read, and from them the workload of any seed.
pub struct Sources<'e> {
    experiment: &'e Experiment,
    /// Of each source its log, or one for each seed.
    logs: Vec<Vec<ReadLog>>,
    fixed: Fixed,
    /// The workload, if every seed has the same.
    same: Option<Input>,
}

/// What a site brings along that is no workload.
enum Fixed {
    Nothing,
    Nodes(Vec<OpenbNode>),
    Models(Arc<[Model]>),
    Throughputs(Vec<Throughput>),
}

/// The workload of a seed.
#[derive(Clone)]
pub enum Input {
    /// Jobs for a batch site.
    Jobs(Arc<Workload>),
    /// A list that pods are drawn from.
    Pods(Arc<Study>),
    /// Training jobs.
    Training(Arc<Training>),
    /// Jobs for a network.
    Network(Arc<Submissions>),
}

/// A log that was read.
#[derive(Debug)]
pub struct ReadLog {
    /// Where it is.
    pub path: PathBuf,
    /// Hash of what the file holds, uncompressed.
    pub hash: blake3::Hash,
    /// What was read, and what not.
    pub content: Content,
}

/// Reads a log as its format says.
///
/// # Errors
/// The file cannot be read or is no text, or a [`Problem`] that ends the
/// import.
pub fn read_log(log: &Log) -> anyhow::Result<ReadLog> {
    let mut read = read_whole(log)?;
    if log.window.is_open() {
        return Ok(read);
    }
    let told = |reason| Problem {
        file: log.path.display().to_string(),
        line: 0,
        field: "time".to_owned(),
        value: "unknown".to_owned(),
        expected: format!("a log that says when it begins, because {reason}"),
    };
    let Content::Jobs(loaded) = &mut read.content else {
        return Err(told("`since` or `until` asks a part of it; this one has no times").into());
    };
    let outside = log.window.apply(&mut loaded.workload);
    let outside = outside.ok_or_else(|| told("`since` or `until` asks a part of it"))?;
    *loaded.left_out.entry("submitted at another time").or_default() += outside;
    Ok(read)
}

fn read_whole(log: &Log) -> anyhow::Result<ReadLog> {
    let shown = log.path.display().to_string();
    if log.format == Format::Journal {
        let (loaded, hash) = journal::read(&log.path, log.strictness)?;
        return Ok(ReadLog { path: log.path.clone(), hash, content: Content::jobs(loaded) });
    }
    let bytes = input::read(&log.path)?;
    let hash = blake3::hash(&bytes);
    let content = crate::workload::read(&bytes, &shown, log)?;
    Ok(ReadLog { path: log.path.clone(), hash, content })
}

impl<'e> Sources<'e> {
    /// Reads every log that the experiment names, each once.
    ///
    /// # Errors
    /// As [`read_log`]; a log without a job; what the site needs cannot be read.
    pub fn open(experiment: &'e Experiment) -> anyhow::Result<Sources<'e>> {
        let mut logs = Vec::new();
        for source in &experiment.workload {
            logs.push(match &source.origin {
                Origin::Lublin { .. } => Vec::new(),
                Origin::Log(log) | Origin::Fitted { log, .. } if log.is_by_seed() => {
                    let of_seed = |seed: &u64| with_jobs(&log.of_seed(*seed));
                    experiment.seeds.iter().map(of_seed).collect::<Result<_, _>>()?
                }
                Origin::Log(log) | Origin::Fitted { log, .. } => vec![with_jobs(log)?],
            });
        }
        let fixed = fixed(&experiment.site.model)?;
        let mut sources = Sources { experiment, logs, fixed, same: None };
        let drawn = |source: &Source| match &source.origin {
            Origin::Log(log) => log.is_by_seed() || source.scale.shake_s > 0,
            Origin::Lublin { .. } | Origin::Fitted { .. } => true,
        };
        if !experiment.workload.iter().any(drawn) {
            sources.same = Some(sources.draw(experiment.seeds[0])?);
        }
        Ok(sources)
    }

    /// The sources, with the logs that belong to them: none, one, or one for each seed.
    pub fn logs(&self) -> impl Iterator<Item = (&'e Source, &[ReadLog])> {
        self.experiment.workload.iter().zip(self.logs.iter().map(Vec::as_slice))
    }

    /// The log of a source for a seed.
    #[must_use]
    pub fn log<'s>(&self, logs: &'s [ReadLog], seed: u64) -> Option<&'s ReadLog> {
        let place = self.experiment.seeds.iter().position(|known| *known == seed);
        logs.get(place.unwrap_or(0)).or(logs.first())
    }

    /// How large the site is, and what that counts.
    #[must_use]
    pub fn size(&self) -> (u64, &'static str) {
        match (&self.experiment.site.model, &self.fixed) {
            (SiteModel::Batch { processors, .. }, _) => ((*processors).into(), "processors"),
            (_, Fixed::Nodes(nodes)) => {
                (nodes.iter().map(|node| u64::from(node.gpus)).sum(), "GPUs")
            }
            (SiteModel::Elastic { flavors, .. }, _) => {
                (flavors.iter().map(|flavor| u64::from(flavor.nodes.gpus())).sum(), "GPUs")
            }
            (SiteModel::GpuSharing { .. }, _) => (0, "GPUs"),
            (SiteModel::Network(network), _) => (network.size().0, "CPUs"),
        }
    }

    /// Whether runs of one policy differ by seed. At a site whose GPUs are shared, the seed draws
    /// the pods.
    #[must_use]
    pub fn differ_by_seed(&self) -> bool {
        self.same.is_none() || matches!(self.fixed, Fixed::Nodes(_))
    }

    /// The workload of a seed.
    ///
    /// # Errors
    /// A list of pods or of training jobs is not what its site takes.
    pub fn input(&self, seed: u64) -> anyhow::Result<Input> {
        match &self.same {
            Some(same) => Ok(same.clone()),
            None => self.draw(seed),
        }
    }

    fn draw(&self, seed: u64) -> anyhow::Result<Input> {
        match &self.fixed {
            Fixed::Nothing => Ok(match &self.experiment.site.model {
                SiteModel::Network(network) => {
                    Input::Network(Arc::new(self.submissions(network, seed)))
                }
                _ => Input::Jobs(Arc::new(self.jobs(seed))),
            }),
            Fixed::Nodes(nodes) => self.pods(nodes, seed),
            Fixed::Models(models) => {
                let mut jobs = Vec::new();
                for (source, logs) in self.logs() {
                    let Some(ReadLog { content: Content::Training(list), .. }) =
                        self.log(logs, seed)
                    else {
                        anyhow::bail!("{} has no training jobs", source.name);
                    };
                    jobs.extend(list.items.iter().cloned());
                }
                Ok(Input::Training(Arc::new(Training { models: Arc::clone(models), jobs })))
            }
            Fixed::Throughputs(rates) => self.trace(rates, seed),
        }
    }

    fn trace(&self, rates: &[Throughput], seed: u64) -> anyhow::Result<Input> {
        let SiteModel::Elastic { flavors, .. } = &self.experiment.site.model else {
            anyhow::bail!("throughputs are for an elastic site");
        };
        let mut trace = Vec::new();
        for (source, logs) in self.logs() {
            let Some(ReadLog { content: Content::Trace(list), .. }) = self.log(logs, seed) else {
                anyhow::bail!("{} is no trace of training jobs", source.name);
            };
            trace.extend(list.items.iter().cloned());
        }
        let types: Vec<&str> = flavors.iter().map(|flavor| flavor.gpu.as_str()).collect();
        let (models, jobs) = gavel::training::training(rates, &types, &trace)?;
        Ok(Input::Training(Arc::new(Training { models: models.into(), jobs })))
    }

    fn pods(&self, nodes: &[OpenbNode], seed: u64) -> anyhow::Result<Input> {
        let mut list: Vec<OpenbPod> = Vec::new();
        for (source, logs) in self.logs() {
            let Some(ReadLog { content: Content::Pods(pods), .. }) = self.log(logs, seed) else {
                anyhow::bail!("{} is no list of pods", source.name);
            };
            list.extend(pods.items.iter().cloned());
        }
        Ok(Input::Pods(Arc::new(Study::new(nodes, &list))))
    }

    fn jobs(&self, seed: u64) -> Workload {
        let SiteModel::Batch { processors, .. } = self.experiment.site.model else {
            return Workload::default();
        };
        let part = |(index, (source, logs)): (usize, (&'e Source, &[ReadLog]))| {
            (source.name.as_str(), self.part(index, source, logs, processors.into(), seed))
        };
        let mut parts: Vec<(&str, Workload)> = self.logs().enumerate().map(part).collect();
        match parts.len() {
            1 => parts.remove(0).1,
            _ => mixed(parts),
        }
    }

    fn submissions(&self, network: &NetworkModel, seed: u64) -> Submissions {
        let part = |(index, (source, logs)): (usize, (&Source, &[ReadLog]))| {
            let binding = source.binding.as_ref().expect("sources of a network are bound");
            self.part(index, source, logs, network.room(binding).network, seed)
        };
        Submissions::of(self.logs().enumerate().map(part).collect())
    }

    /// What one source has for a seed.
    fn part(
        &self,
        index: usize,
        source: &Source,
        logs: &[ReadLog],
        processors: u64,
        seed: u64,
    ) -> Workload {
        // Sources of one experiment are drawn from streams of their own.
        let own_seed = seed ^ ((index as u64) << 48);
        let log = match self.log(logs, seed).map(|log| &log.content) {
            Some(Content::Jobs(loaded)) => Some(&loaded.workload),
            _ => None,
        };
        let mut part = match (&source.origin, log) {
            (Origin::Lublin { model, jobs }, _) => lublin::generate(model, *jobs, own_seed),
            (Origin::Fitted { jobs, .. }, Some(log)) => Fitted::new(log).draw(*jobs, own_seed),
            (_, Some(log)) => log.clone(),
            (_, None) => Workload::default(),
        };
        scaled(&mut part, source.scale, processors, own_seed);
        part
    }
}

fn with_jobs(log: &Log) -> anyhow::Result<ReadLog> {
    let read = read_log(log)?;
    anyhow::ensure!(read.content.count() > 0, "{} has no job that can run", log.path.display());
    Ok(read)
}

fn fixed(model: &SiteModel) -> anyhow::Result<Fixed> {
    match model {
        SiteModel::Batch { .. } | SiteModel::Network(_) => Ok(Fixed::Nothing),
        SiteModel::GpuSharing { nodes, .. } => {
            let shown = nodes.display().to_string();
            let text = String::from_utf8(input::read(nodes)?)
                .with_context(|| format!("{shown} is not UTF-8"))?;
            let list = openb::parse_nodes(&shown, &text, Strictness::Strict)?;
            Ok(Fixed::Nodes(list.items))
        }
        SiteModel::Elastic { flavors, profiles, .. } => {
            let types: Vec<&str> = flavors.iter().map(|flavor| flavor.gpu.as_str()).collect();
            match profiles {
                Profiles::Sia(folder) => Ok(Fixed::Models(sia::profiles(folder, &types)?.into())),
                Profiles::Gavel(path) => {
                    let shown = path.display().to_string();
                    let text = String::from_utf8(input::read(path)?)
                        .with_context(|| format!("{shown} is not UTF-8"))?;
                    let table = gavel::parse_throughputs(&shown, &text, Strictness::Strict)?;
                    Ok(Fixed::Throughputs(table.items))
                }
            }
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
