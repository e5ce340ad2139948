//! A cycle's set of placements, and the reasons for those not made.

use crate::reason::{Explanation, WaitingFor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use suanpan_model::id::{ClusterId, JobId};
use suanpan_model::job::{Prediction, Shape};
use suanpan_model::time::Timestamp;
use suanpan_model::walltime::Walltime;

/// What one scheduling cycle proposes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Starts, in the order they were decided.
    pub placements: Vec<Placement>,
    /// Explanations the placements refer to.
    pub explanations: Vec<Arc<Explanation>>,
    /// Promised starts of the first jobs that must wait.
    pub shadow_starts: BTreeMap<JobId, Timestamp>,
    /// Why each shape that did not start entirely waits.
    pub waiting: BTreeMap<Arc<Shape>, WaitingShape>,
    /// Jobs whose own condition (not their shape's) keeps them: begin time, deadline, refusals.
    pub waiting_jobs: BTreeMap<JobId, WaitingFor>,
}

/// Why jobs of one shape wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingShape {
    /// The first job of the shape that did not start; jobs after it wait for `Priority`.
    pub first: JobId,
    /// Why the first one waits.
    pub reason: WaitingFor,
    /// What was compared and ruled out.
    pub explanation: Arc<Explanation>,
}

/// One job (or the next task of an array) on chosen nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The job; of an array, its lowest ready task is meant.
    pub job: JobId,
    /// Where.
    pub cluster: ClusterId,
    /// Index into the inventory's partitions.
    pub partition: u16,
    /// Indexes into the inventory's nodes, in rank order.
    pub nodes: Vec<u32>,
    /// Time limit it will run under.
    pub time_limit: Walltime,
    /// What is foretold.
    pub prediction: Prediction,
    /// Index into [`Plan::explanations`].
    pub explanation: u32,
}
