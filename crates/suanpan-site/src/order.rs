//! What an agent should be running.

use serde::{Deserialize, Serialize};
use suanpan_model::id::{AllocationId, BlobHash, Generation, JobId};
use suanpan_model::time::Timestamp;
use suanpan_model::tres::Tres;
use suanpan_model::walltime::Walltime;

/// One allocation the cluster should hold, and what should be happening in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The allocation.
    pub allocation: AllocationId,
    /// Version of this order; a later one replaces it.
    pub generation: Generation,
    /// What should be happening.
    pub desired: Desired,
}

/// What should be happening in an allocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Desired {
    /// The job runs, or has run.
    Run(Box<RunOrder>),
    /// The job is stopped, or never starts.
    Stop(StopReason),
}

/// Why an allocation is to be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// Its user or an operator cancelled it.
    Cancelled,
    /// Its user asked to requeue it.
    Requeued,
    /// Its resources are taken for another job.
    Preempted,
    /// Its deadline passed.
    Deadline,
}

/// Everything about one start that is not in the job's launch document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOrder {
    /// The job's own id (of an array task: base + position).
    pub job: JobId,
    /// Which task of an array it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub array: Option<ArrayTask>,
    /// Job name.
    pub name: String,
    /// Submitter.
    pub user: String,
    /// Who pays.
    pub project: String,
    /// Launch document to fetch.
    pub launch: BlobHash,
    /// Partition it was placed in.
    pub partition: String,
    /// Names of its nodes, in rank order.
    pub nodes: Vec<String>,
    /// Flavor of the nodes.
    pub flavor: String,
    /// Amount on each node.
    pub per_node: Tres,
    /// Longest it may run.
    pub time_limit: Walltime,
    /// How often the job was started before.
    pub restarts: u32,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When it will be stopped for another job: its payload is to be told now, and may use the
    /// time until then. Agents of versions that do not know this tell it when it is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_at: Option<Timestamp>,
}

/// Place of a task in its array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrayTask {
    /// Id of the array job.
    pub job: JobId,
    /// This task's index.
    pub index: u32,
    /// Number of tasks.
    pub count: u32,
    /// Smallest index.
    pub min: u32,
    /// Largest index.
    pub max: u32,
    /// Distance between indexes, 1 if they are irregular.
    pub step: u32,
}
