//! A whole network as an experiment has it: what each site's agent would report of it, and what
//! the jobs of a source ask besides size and time.
//!
//! A log knows a job's processors and not its nodes. Here a job takes the fewest nodes that hold
//! it at [`Binding::processors_per_node`] each, and its processors are spread over them evenly,
//! rounded up: what `--nodes` with `--ntasks-per-node` asks.

use super::Source;
use crate::replay::network::Arrival;
use crate::workload::job::{Job, Workload};
use std::collections::BTreeMap;
use std::sync::Arc;
use suanpan_model::id::BlobHash;
use suanpan_model::job::{Goal, InputNeed, JobSpec, Requeue, Shape, Sharing};
use suanpan_model::memory::Mebibytes;
use suanpan_model::money::MicroCredits;
use suanpan_model::site::{Inventory, Node};
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_model::tres::Tres;
use suanpan_model::walltime::Walltime;
use suanpan_sched::order::priority::PriorityPolicy;
use suanpan_sched::quota::policy::QuotaPolicy;

#[cfg(test)]
mod tests;

/// The sites of a network, and how its jobs are given priorities.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkModel {
    /// What each site's agent would report, in the order of the file.
    pub sites: Vec<Arc<Inventory>>,
    /// For policies that order jobs by priority.
    pub priorities: Option<PriorityPolicy>,
    /// What its projects may use.
    pub quotas: Option<Arc<QuotaPolicy>>,
}

/// What the jobs of a source ask of a network, besides what the source knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// Who pays.
    pub project: String,
    /// Who submits; `None` takes the source's users.
    pub user: Option<String>,
    /// What "best" means to them.
    pub goal: Goal,
    /// Most that a job may cost.
    pub budget: Option<MicroCredits>,
    /// Their QOS.
    pub qos: Option<String>,
    /// Their wish to go later.
    pub nice: i32,
    /// Whether one that is stopped for another waits again.
    pub requeue: Requeue,
    /// Any of these sites; empty means all.
    pub sites: Vec<String>,
    /// Any of these partitions; empty means each site's default ones.
    pub partitions: Vec<String>,
    /// Any of these flavors, in order of preference; empty means all.
    pub flavors: Vec<String>,
    /// Features each node must have.
    pub features: Vec<String>,
    /// Whether others may share their nodes.
    pub sharing: Sharing,
    /// What must be at the site before a job starts.
    pub inputs: Vec<InputNeed>,
    /// What one processor of the source asks. Without GPUs here, those that a log tells are asked.
    pub per_processor: Tres,
    /// Most processors of a job on one node.
    pub processors_per_node: u32,
}

/// How many processors of a source find room in a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// At once, on all nodes that its jobs may use.
    pub network: u64,
    /// At the site with most of them.
    pub site: u64,
    /// On the smallest of these nodes that has room for one.
    pub node: u32,
}

impl NetworkModel {
    /// What all nodes have together: CPUs and GPUs.
    #[must_use]
    pub fn size(&self) -> (u64, u64) {
        let sizes = || self.sites.iter().map(|site| size(site));
        (sizes().map(|(cpus, _)| cpus).sum(), sizes().map(|(_, gpus)| gpus).sum())
    }

    /// How much room there is for a source whose jobs ask this.
    #[must_use]
    pub fn room(&self, binding: &Binding) -> Room {
        let mut room = Room { node: u32::MAX, ..Room::default() };
        for site in &self.sites {
            let mut here = 0;
            for node in usable(site, binding) {
                let holds = node.capacity.holds(&binding.per_processor);
                if holds > 0 {
                    room.node = room.node.min(holds);
                    here += u64::from(holds);
                }
            }
            room.site = room.site.max(here);
            room.network += here;
        }
        if room.network == 0 { Room::default() } else { room }
    }
}

/// What the nodes of a site have together: CPUs and GPUs.
#[must_use]
pub fn size(site: &Inventory) -> (u64, u64) {
    let sum =
        |of: fn(&Tres) -> u32| site.nodes.iter().map(|node| u64::from(of(&node.capacity))).sum();
    (sum(|capacity| capacity.cpus), sum(|capacity| capacity.gpus))
}

/// The nodes of a site that jobs of a source may use.
fn usable<'s>(site: &'s Inventory, binding: &Binding) -> impl Iterator<Item = &'s Node> {
    let is_asked = |wanted: &[String], name: &str| wanted.iter().any(|one| one == name);
    let is_site = binding.sites.is_empty() || is_asked(&binding.sites, &site.site);
    let mut nodes = vec![false; site.nodes.len()];
    for partition in site.partitions.iter().filter(|_| is_site) {
        let is_open = match binding.partitions.is_empty() {
            true => partition.default,
            false => is_asked(&binding.partitions, &partition.name),
        };
        for node in partition.nodes.iter().filter(|_| is_open) {
            nodes[*node as usize] = true;
        }
    }
    let of_flavor = |node: &Node| {
        binding.flavors.is_empty() || is_asked(&binding.flavors, &site.flavor_of(node).name)
    };
    let featured = |node: &Node| binding.features.iter().all(|one| node.features.contains(one));
    let keep: Vec<&Node> = site
        .nodes
        .iter()
        .zip(nodes)
        .filter(|(node, open)| *open && of_flavor(node) && featured(node))
        .map(|(node, _)| node)
        .collect();
    keep.into_iter()
}

/// The jobs of all sources, in the order of submission.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Submissions {
    /// Each with the place of its source in the experiment.
    pub jobs: Vec<(u32, Job)>,
    /// The names that the jobs of each source refer to, without jobs.
    pub names: Vec<Workload>,
}

impl Submissions {
    /// Brings sources together. O(n log n) in the jobs.
    #[must_use]
    pub fn of(parts: Vec<Workload>) -> Submissions {
        let mut all = Submissions::default();
        for (source, part) in (0u32..).zip(parts) {
            all.names.push(part.clone_names());
            all.jobs.extend(part.jobs.into_iter().map(|job| (source, job)));
        }
        all.jobs.sort_by_key(|(source, job)| (job.submit_s, *source, job.id));
        all
    }

    /// Who submits a job.
    #[must_use]
    pub fn user<'a>(&'a self, sources: &'a [Source], place: usize) -> &'a str {
        let (source, job) = &self.jobs[place];
        let known = self.names[*source as usize].users.name(job.user);
        let source = &sources[*source as usize];
        match source.binding.as_ref().and_then(|binding| binding.user.as_deref()) {
            Some(user) => user,
            None if known.is_empty() => &source.name,
            None => known,
        }
    }
}

/// Makes job specifications of a workload; equal shapes are shared.
pub(super) struct Specs<'a> {
    sources: &'a [Source],
    submissions: &'a Submissions,
    /// In place of the goals of the sources.
    goal: Option<Goal>,
    shapes: BTreeMap<(u32, u32, u32, u64), Arc<Shape>>,
}

impl<'a> Specs<'a> {
    pub(super) fn new(
        sources: &'a [Source],
        submissions: &'a Submissions,
        goal: Option<Goal>,
    ) -> Specs<'a> {
        Specs { sources, submissions, goal, shapes: BTreeMap::new() }
    }

    /// The job at a place of the submissions, as it enters the network. O(log shapes).
    pub(super) fn arrival(&mut self, place: usize) -> Arrival {
        let (source, job) = self.submissions.jobs[place];
        let sources = self.sources;
        let binding = sources[source as usize].binding.as_ref();
        let binding = binding.expect("sources of a network are bound");
        // A job without requested time is taken to have asked for the time that it runs.
        let limit_s = if job.requested_s == 0 { job.run_s.max(1) } else { job.requested_s };
        let goal = self.goal.unwrap_or(binding.goal);
        let shape = self
            .shapes
            .entry((source, job.processors, job.gpus, limit_s))
            .or_insert_with(|| Arc::new(shape(binding, &job, limit_s, goal)));
        let program = self.submissions.names[source as usize].programs.name(job.program);
        let name = if program.is_empty() { &sources[source as usize].name } else { program };
        let spec = JobSpec {
            name: name.to_owned(),
            user: self.submissions.user(sources, place).to_owned(),
            project: binding.project.clone(),
            shape: Arc::clone(shape),
            launch: BlobHash([0; 32]),
            array: None,
            dependency: None,
            array_sites: Default::default(),
            on_invalid_dependency: Default::default(),
            begin: None,
            deadline: None,
            hold: Default::default(),
            requeue: binding.requeue,
            qos: binding.qos.clone(),
            nice: binding.nice,
        };
        Arrival { at: instant(job.submit_s), spec, runs: Seconds(job.run_s) }
    }
}

/// A second of the workload; the simulated network begins at 1970-01-01.
fn instant(second: u64) -> Timestamp {
    Timestamp(i64::try_from(second.saturating_mul(1_000_000)).unwrap_or(i64::MAX))
}

fn shape(binding: &Binding, job: &Job, limit_s: u64, goal: Goal) -> Shape {
    let nodes = job.processors.div_ceil(binding.processors_per_node.max(1)).max(1);
    let each = job.processors.div_ceil(nodes).max(1);
    let one = binding.per_processor;
    let gpus = if one.gpus == 0 { job.gpus.div_ceil(nodes) } else { one.gpus.saturating_mul(each) };
    let memory = one.memory.checked_mul(each.into()).unwrap_or(Mebibytes::new(u64::MAX));
    let limit = u32::try_from(limit_s).unwrap_or(u32::MAX);
    Shape {
        nodes,
        per_node: Tres { cpus: one.cpus.saturating_mul(each), memory, gpus },
        sharing: binding.sharing,
        time: Walltime::from_seconds(limit),
        partitions: binding.partitions.clone(),
        sites: binding.sites.clone(),
        flavors: binding.flavors.clone(),
        features: binding.features.clone(),
        nodelist: Vec::new(),
        exclude: Vec::new(),
        goal,
        budget: binding.budget,
        inputs: binding.inputs.clone(),
        output_bytes: 0,
        paths: Vec::new(),
    }
}
