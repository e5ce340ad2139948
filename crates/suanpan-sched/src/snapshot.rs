//! The scheduler's view of the network, kept up to date by small changes.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use suanpan_model::id::{AllocationId, ClusterId, JobId};
use suanpan_model::job::Shape;
use suanpan_model::site::Inventory;
use suanpan_model::time::Timestamp;
use suanpan_model::tres::Tres;

/// What the scheduler sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Clusters by id.
    pub clusters: BTreeMap<ClusterId, ClusterView>,
    /// Jobs with at least one task that may start now or once its begin time comes, in the order
    /// they are considered.
    pub pending: BTreeMap<PendingKey, Pending>,
    /// Where each job of `pending` is.
    pub keys: BTreeMap<JobId, PendingKey>,
    /// Jobs by shape, for judging whole classes at once.
    pub shapes: BTreeMap<Arc<Shape>, u64>,
}

/// Order of consideration: higher priority first, then earlier submission, then smaller id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PendingKey {
    /// Priority, highest first.
    pub priority: std::cmp::Reverse<i64>,
    /// When it was submitted.
    pub submitted: Timestamp,
    /// The job; breaks ties.
    pub job: JobId,
}

/// A job that may start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The job.
    pub job: JobId,
    /// Priority; larger first.
    pub priority: i64,
    /// When it was submitted.
    pub submitted: Timestamp,
    /// What it asks.
    pub shape: Arc<Shape>,
    /// Not to start before.
    pub begin: Option<Timestamp>,
    /// To be finished by.
    pub deadline: Option<Timestamp>,
    /// Tasks that may start now (of an array: within its `%limit`); 1 for a single job.
    pub ready: u32,
    /// Clusters that refused it since it was submitted.
    pub refused_by: Vec<ClusterId>,
}

/// One cluster: what it has and what is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterView {
    /// What its agent says it has.
    pub inventory: Arc<Inventory>,
    /// Whether its agent is in contact.
    pub contact: Contact,
    /// Free amount of each node, in the order of `inventory.nodes`.
    pub free: Vec<Tres>,
    /// What runs there.
    pub running: BTreeMap<AllocationId, Running>,
}

/// Whether an agent is in contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contact {
    /// It was heard of within the contact period.
    Reachable,
    /// It was not.
    Silent,
}

/// One allocation on a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Indexes into the inventory's nodes.
    pub nodes: Vec<u32>,
    /// Amount on each.
    pub per_node: Tres,
    /// When its time limit ends.
    pub ends_by: Timestamp,
}

/// One change of the snapshot. The engine emits them while it applies events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A cluster joined or its inventory changed. Allocations stay where they are.
    Inventory(ClusterId, Arc<Inventory>),
    /// Contact with an agent was lost or found.
    Contact(ClusterId, Contact),
    /// A job may start, or something about it changed (replaces what was known).
    Pending(Pending),
    /// A job has no task left that may start.
    NotPending(JobId),
    /// An allocation took resources.
    Took(ClusterId, AllocationId, Running),
    /// An allocation's end is now expected at another time.
    EndsBy(ClusterId, AllocationId, Timestamp),
    /// An allocation's resources are free again.
    Freed(ClusterId, AllocationId),
}
