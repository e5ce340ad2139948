//! What there is: sites, clusters, partitions, nodes, flavors and the links between sites.

use crate::id::BlobHash;
use crate::memory::Mebibytes;
use crate::money::Price;
use crate::time::Timestamp;
use crate::tres::Tres;
use crate::walltime::Walltime;
use serde::{Deserialize, Serialize};

/// Everything an agent says of its cluster: the meaning of a site file, plus what was found on
/// the machine. A new inventory replaces the old one whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// The place, with its own administration and its own attachment to the network.
    pub site: String,
    /// The workload manager at that place; unique in the network.
    pub cluster: String,
    /// Which driver runs jobs there.
    pub driver: DriverKind,
    /// IANA time zone of the site.
    pub zone: String,
    /// Whether data on the submit host is at this site.
    #[serde(default)]
    pub home: bool,
    /// Path prefixes of the submit host that this site can see.
    pub shared_paths: Vec<String>,
    /// Kinds of resource that price and speed attach to.
    pub flavors: Vec<Flavor>,
    /// Machines, real or emulated on one host.
    pub nodes: Vec<Node>,
    /// Named sets of nodes with limits and defaults.
    pub partitions: Vec<Partition>,
    /// Links to other sites as the operator declares them.
    pub links: Vec<Link>,
    /// Limits on a job that this agent really enforces on its machine.
    #[serde(default)]
    pub enforced: Vec<EnforcedLimit>,
    /// How other sites' agents know and reach this one; nothing if it moves no data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<PeerPoint>,
    /// Most bytes of datasets the site keeps that nothing there needs; no limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_quota: Option<u64>,
    /// How many jobs of this network may wait in the site's own queue, so that a short job's place
    /// is taken at once; 0 where a job comes only once there is room for it.
    #[serde(default, skip_serializing_if = "is_none_at_all")]
    pub backlog: u32,
}

/// How an agent is known to, and reached by, the agents of other sites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerPoint {
    /// `host:port` as other sites reach it; nothing if it only connects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// BLAKE3 of the agent's certificate in DER form.
    pub certificate: BlobHash,
}

/// How jobs are run at a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriverKind {
    /// Processes on the agent's own machine.
    Local,
    /// Every job ends at once with success: for measuring the control plane, never for work.
    Noop,
    /// Jobs of a Slurm cluster, submitted by an ordinary account on a login node.
    Slurm,
}

/// A kind of resource across partitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flavor {
    /// Name, for example `nvidia-h20-96g`.
    pub name: String,
    /// Run time at this flavor is the stated time divided by this; thousandths, 1000 is par.
    pub speed_milli: u32,
    /// What it costs.
    pub price: Price,
}

/// One schedulable machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Host name.
    pub name: String,
    /// Index into [`Inventory::flavors`].
    pub flavor: u16,
    /// What it has.
    pub capacity: Tres,
    /// Words a job's `--constraint` may ask for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// What is not for this network now: used by jobs that came to the site another way, or all
    /// of it while the site has closed the node.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub outside: Tres,
    /// When parts of `outside` end at the latest, by the time limits of the jobs that have them;
    /// in the order of time, at most [`RELEASES_MAX`]. Of the rest nothing is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<Release>,
}

/// An amount of a node that is for this network again from a time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The time.
    pub at: Timestamp,
    /// The amount.
    pub amount: Tres,
}

/// Most releases told of one node: what ends later is told with the last.
pub const RELEASES_MAX: usize = 8;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if takes &T")]
fn is_none_at_all(count: &u32) -> bool {
    *count == 0
}

fn is_nothing(amount: &Tres) -> bool {
    *amount == Tres::default()
}

impl Node {
    /// What this network may use of it now.
    #[must_use]
    pub fn room(&self) -> Tres {
        self.capacity.less(&self.outside)
    }
}

/// Named set of a cluster's nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// Name.
    pub name: String,
    /// Whether jobs that name no partition may run here.
    pub default: bool,
    /// Longest time limit a job may ask.
    pub time_max: Walltime,
    /// Time limit of a job that asks none.
    pub time_default: Walltime,
    /// Most nodes one job may ask.
    pub nodes_max_per_job: u32,
    /// Indexes into [`Inventory::nodes`].
    pub nodes: Vec<u32>,
    /// What waits at the site.
    #[serde(default, skip_serializing_if = "PartitionQueue::is_empty")]
    pub queue: PartitionQueue,
}

/// What was seen waiting for a partition in the site's own queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionQueue {
    /// Jobs that came to the site another way.
    pub others: u32,
    /// When the site expects the last of the others to start, as far as it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_start: Option<Timestamp>,
}

impl PartitionQueue {
    fn is_empty(&self) -> bool {
        *self == PartitionQueue::default()
    }
}

/// One declared edge to another site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Name of the other site.
    pub to: String,
    /// One-way delay in microseconds.
    pub delay_us: u32,
    /// Throughput in bits per second.
    pub throughput_bps: u64,
}

/// A limit that is really held on the job's processes, and by what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnforcedLimit {
    /// `memory`, `cpu`, `pids` or `time`.
    pub limit: String,
    /// `cgroup v2`, `cgroup v1`, `supervisor`, or `none` with the reason.
    pub by: String,
}

impl Inventory {
    /// What is left of it when nothing of the cluster can be used: its names.
    #[must_use]
    pub fn without_nodes(&self) -> Inventory {
        Inventory {
            site: self.site.clone(),
            cluster: self.cluster.clone(),
            driver: self.driver,
            zone: self.zone.clone(),
            home: false,
            shared_paths: Vec::new(),
            flavors: Vec::new(),
            nodes: Vec::new(),
            partitions: Vec::new(),
            links: Vec::new(),
            enforced: Vec::new(),
            peer: None,
            data_quota: self.data_quota,
            backlog: 0,
        }
    }

    /// How many more jobs may wait in the site's own queue beside those that were sent there and
    /// did not begin. None where some of its nodes are closed for a time: the site begins what it
    /// has when it likes.
    #[must_use]
    pub fn backlog_left<T>(&self, is_closed: bool, waiting: impl Iterator<Item = T>) -> u32 {
        if self.backlog == 0 || is_closed {
            return 0;
        }
        let waiting = u32::try_from(waiting.count()).unwrap_or(u32::MAX);
        self.backlog.saturating_sub(waiting)
    }

    /// Flavor of a node.
    #[must_use]
    pub fn flavor_of(&self, node: &Node) -> &Flavor {
        &self.flavors[usize::from(node.flavor)]
    }

    /// Why this inventory cannot be used, as (field, value, what would be right); empty if sound.
    #[must_use]
    pub fn problems(&self) -> Vec<(String, String, String)> {
        let mut found = Vec::new();
        let mut say = |field: String, value: String, right: &str| {
            found.push((field, value, right.to_owned()));
        };
        if self.site.is_empty() {
            say("site".into(), String::new(), "a name");
        }
        if self.cluster.is_empty() {
            say("cluster".into(), String::new(), "a name");
        }
        if self.partitions.is_empty() {
            say("partition".into(), "none".into(), "at least one partition");
        }
        for (index, flavor) in self.flavors.iter().enumerate() {
            if flavor.speed_milli == 0 {
                say(format!("flavor[{index}].speed"), "0".into(), "more than zero");
            }
        }
        for (index, node) in self.nodes.iter().enumerate() {
            if usize::from(node.flavor) >= self.flavors.len() {
                say(format!("nodes[{index}].flavor"), node.flavor.to_string(), "a flavor's index");
            }
            if node.capacity.cpus == 0 || node.capacity.memory == Mebibytes::ZERO {
                say(
                    format!("nodes[{index}].capacity"),
                    node.capacity.to_string(),
                    "at least one CPU and 1 MiB",
                );
            }
        }
        for (index, partition) in self.partitions.iter().enumerate() {
            if partition.nodes.is_empty() {
                say(format!("partition[{index}].nodes"), "none".into(), "at least one node");
            }
            if partition.nodes.iter().any(|&node| node as usize >= self.nodes.len()) {
                say(format!("partition[{index}].nodes"), "an index".into(), "indexes of nodes");
            }
        }
        found
    }
}
