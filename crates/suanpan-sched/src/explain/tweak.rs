//! Single changes of a request.

use serde::{Deserialize, Serialize};
use std::fmt;
use suanpan_model::job::{Shape, Sharing};
use suanpan_model::memory::Mebibytes;
use suanpan_model::money::MicroCredits;
use suanpan_model::time::Timestamp;
use suanpan_model::walltime::Walltime;

/// One change of a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tweak {
    /// Ask at most so many CPUs on a node.
    Cpus(u32),
    /// Ask at most so much memory on a node.
    Memory(Mebibytes),
    /// Ask at most so many GPUs on a node.
    Gpus(u32),
    /// Ask at most so many nodes.
    Nodes(u32),
    /// Ask at most this time.
    Time(Walltime),
    /// Raise the budget to this.
    Budget(MicroCredits),
    /// Move the deadline to this.
    Deadline(Timestamp),
    /// Share nodes with other jobs.
    Share,
    /// Ask for this site: it could start now, though the goal prefers to wait for another.
    ChooseSite(String),
    /// Allow this site too.
    AllowSite(String),
    /// Allow this partition.
    AllowPartition(String),
    /// Allow this flavor too.
    AllowFlavor(String),
    /// Do without these features.
    DropFeatures(Vec<String>),
    /// Name and exclude no nodes.
    DropNodeList,
    /// Use paths that the site sees instead of these.
    ReplacePaths(Vec<String>),
    /// Bring the inputs to this site.
    MoveInputs(String),
}

impl Tweak {
    /// Makes the change. A deadline is not part of a shape and is left to the caller.
    pub fn apply(&self, shape: &mut Shape) {
        match self {
            Tweak::Cpus(cpus) => shape.per_node.cpus = *cpus,
            Tweak::Memory(memory) => shape.per_node.memory = *memory,
            Tweak::Gpus(gpus) => shape.per_node.gpus = *gpus,
            Tweak::Nodes(nodes) => shape.nodes = *nodes,
            Tweak::Time(time) => shape.time = Some(*time),
            Tweak::Budget(budget) => shape.budget = Some(*budget),
            Tweak::Deadline(_) => {}
            Tweak::Share => shape.sharing = Sharing::Shared,
            Tweak::ChooseSite(site) => shape.sites = vec![site.clone()],
            Tweak::AllowSite(site) => shape.sites.push(site.clone()),
            Tweak::AllowPartition(partition) => shape.partitions.push(partition.clone()),
            Tweak::AllowFlavor(flavor) => shape.flavors.push(flavor.clone()),
            Tweak::DropFeatures(without) => {
                shape.features.retain(|feature| !without.contains(feature));
            }
            Tweak::DropNodeList => {
                shape.nodelist.clear();
                shape.exclude.clear();
            }
            Tweak::ReplacePaths(without) => shape.paths.retain(|path| !without.contains(path)),
            Tweak::MoveInputs(site) => {
                for input in &mut shape.inputs {
                    input.at = Some(site.clone());
                }
            }
        }
    }

    /// How much of the request is given up, in thousandths: for amounts the share cut off (or
    /// added, of a budget), for everything else a fixed half.
    pub(super) fn size(&self, shape: &Shape) -> u64 {
        let cut = |from: u64, to: u64| from.abs_diff(to).saturating_mul(1_000) / from.max(1);
        match self {
            Tweak::Cpus(to) => cut(shape.per_node.cpus.into(), (*to).into()),
            Tweak::Memory(to) => cut(shape.per_node.memory.get(), to.get()),
            Tweak::Gpus(to) => cut(shape.per_node.gpus.into(), (*to).into()),
            Tweak::Nodes(to) => cut(shape.nodes.into(), (*to).into()),
            Tweak::Time(to) => {
                shape.time.map_or(500, |from| cut(from.seconds().into(), to.seconds().into()))
            }
            Tweak::Budget(to) => {
                shape.budget.map_or(500, |from| cut(from.0.unsigned_abs(), to.0.unsigned_abs()))
            }
            _ => 500,
        }
    }
}

impl fmt::Display for Tweak {
    /// As advice: `ask at most 2 CPUs per node`, `raise the budget to 0.12`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |number: u32| if number == 1 { "" } else { "s" };
        match self {
            Tweak::Cpus(cpus) => write!(f, "ask at most {cpus} CPU{} per node", plural(*cpus)),
            Tweak::Memory(memory) => write!(f, "ask at most {memory} of memory per node"),
            Tweak::Gpus(0) => write!(f, "ask no GPU"),
            Tweak::Gpus(gpus) => write!(f, "ask at most {gpus} GPU{} per node", plural(*gpus)),
            Tweak::Nodes(nodes) => write!(f, "ask at most {nodes} node{}", plural(*nodes)),
            Tweak::Time(time) => write!(f, "ask a time of at most {time}"),
            Tweak::Budget(budget) => write!(f, "raise the budget to {budget}"),
            Tweak::Deadline(_) => write!(f, "move the deadline to the earliest finish"),
            Tweak::Share => write!(f, "share nodes with other jobs (no --exclusive)"),
            Tweak::ChooseSite(site) => write!(f, "ask for site {site}, which is free now"),
            Tweak::AllowSite(site) => write!(f, "allow site {site}"),
            Tweak::AllowPartition(partition) => write!(f, "allow partition {partition}"),
            Tweak::AllowFlavor(flavor) => write!(f, "allow flavor {flavor}"),
            Tweak::DropFeatures(features) => {
                write!(f, "do without feature {}", features.join(" and "))
            }
            Tweak::DropNodeList => write!(f, "name and exclude no nodes"),
            Tweak::ReplacePaths(paths) => {
                write!(f, "use a path the site sees instead of {}", paths.join(", "))
            }
            Tweak::MoveInputs(site) => write!(f, "bring the inputs to site {site}"),
        }
    }
}
