//! A cycle's set of placements, and the reasons for those not made.
//!
//! # How a cycle decides
//!
//! 1. Jobs are taken in order (priority, submission, id). A job whose begin time has not come is
//!    passed over.
//! 2. For each job every offer of its shape (a pool that meets the standing conditions, see
//!    [`crate::fit::feasible`]) has an earliest start that keeps every promise made so far; the
//!    job's goal picks the best of them, waiting included ([`crate::fit::score`]).
//! 3. If the best starts now, the job is placed there. Otherwise it waits for it, even if a worse
//!    offer could start now: that is what the goal means. It cannot starve, because the first
//!    [`Policy::reservation_depth`] waiting jobs are promised that start (the *shadow start*) on
//!    the nodes that give it, and no job after them may delay it. Later jobs move up as these
//!    start.
//! 4. Jobs beyond that depth start only where they break no promise. Once a shape cannot start,
//!    no later job of the shape is tried in this cycle, except one with a deadline or refusals of
//!    its own while its shape could start somewhere.
//!
//! Where a site lets some jobs wait in its own queue (its backlog, in its inventory), a job that
//! would be promised a start there is sent at once, in the order of jobs: none after one that was
//! promised a start at that cluster, since the site begins what it has as it likes.
//!
//! A job whose QOS may stop others, and that cannot start now, has the fewest allocations stopped
//! that make room for it ([`Plan::preemptions`]); it starts in a later cycle. Drained and reserved
//! nodes are not free for anyone they bind ([`crate::snapshot::Closure`]).
//!
//! Where there are quotas, only an offer of a flavor that the quota of the job's project permits
//! now counts; a job permitted nowhere is passed over, or takes back what others borrow (the module
//! `ration`). With fair sharing the project that borrows least is served first
//! ([`crate::quota::Quotas::borrowed_share`]), within a project jobs go by their order.
//!
//! A promise is made again in every cycle, in the same order and on what is then known. It is
//! kept or beaten as long as running jobs keep their limits, sites stay, no job is put ahead, and
//! the quota still permits it then.
//!
//! # Complexity
//!
//! With `n` nodes, `r` running allocations, `c` shapes, `o` offers of a shape, `d` the depth, `x`
//! starts, and a fit on one pool costing `f` (see [`crate::timeline`]):
//! O(n + r) to lay out the timelines, then O((d + x + c) (o + e f)) where `e` offers of `o` have
//! to be fitted before the best is certain, plus O(log c) for each job taken from the order. The
//! number of pending jobs enters only through jobs with conditions of their own.

use crate::plan::cycle::Cycle;
use crate::plan::run::Run;
use crate::policy::Policy;
use crate::reason::{Explanation, PreemptedFor, WaitingFor};
use crate::snapshot::{ClassKey, Snapshot};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use suanpan_model::id::{AllocationId, ClusterId, JobId};
use suanpan_model::job::Prediction;
use suanpan_model::time::Timestamp;
use suanpan_model::walltime::Walltime;

pub(crate) mod cycle;
mod floor;
mod preempt;
mod queue;
pub(crate) mod ration;
pub(crate) mod run;
mod tell;
#[cfg(test)]
mod tests;

/// One scheduling cycle: which jobs start now, where, and why the others wait.
#[must_use]
pub fn plan(snapshot: &Snapshot, now: Timestamp, policy: &Policy) -> Plan {
    Run::new(Cycle::new(snapshot, now, policy)).into_plan()
}

/// What one scheduling cycle proposes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Starts, in the order they were decided.
    pub placements: Vec<Placement>,
    /// Explanations the placements refer to.
    pub explanations: Vec<Arc<Explanation>>,
    /// Promised starts of the first jobs that must wait.
    pub shadow_starts: BTreeMap<JobId, Timestamp>,
    /// Why each class that did not start entirely waits.
    pub waiting: BTreeMap<ClassKey, WaitingShape>,
    /// What is to be stopped so that waiting jobs can start, in the order it was decided. The
    /// jobs themselves start in a later cycle, once it has ended.
    pub preemptions: Vec<Preemption>,
    /// Jobs whose own condition (not their shape's) keeps them: begin time, deadline, refusals.
    pub waiting_jobs: BTreeMap<JobId, WaitingFor>,
}

/// One allocation that is to be stopped for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preemption {
    /// What is to be stopped.
    pub allocation: AllocationId,
    /// Where.
    pub cluster: ClusterId,
    /// For which job.
    pub by: JobId,
    /// Why it may be.
    pub why: PreemptedFor,
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
