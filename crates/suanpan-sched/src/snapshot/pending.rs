//! Jobs that may start, and the order in which they are considered.

use crate::flavor_speed::Program;
use crate::quota::MemberId;
use crate::snapshot::{ClassKey, ClosureId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use suanpan_model::id::{ClusterId, JobId};
use suanpan_model::job::Shape;
use suanpan_model::time::Timestamp;

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

/// Added to the priority of a job that something was stopped for because of its project's quota:
/// until it starts it goes before all others, borrowing or not.
pub const GOES_FIRST: i64 = 1 << 61;

impl PendingKey {
    /// Whether it goes before all that no quota was taken back for.
    pub(crate) fn goes_first(&self) -> bool {
        self.priority.0 >= GOES_FIRST / 2
    }

    /// Its job's priority among all.
    pub(crate) fn own_priority(&self) -> i64 {
        if self.goes_first() { self.priority.0 - GOES_FIRST } else { self.priority.0 }
    }
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
    /// Whose quota it would use; `None` where there are no quotas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<MemberId>,
    /// Its program, if something is known of it ([`crate::flavor_speed`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Arc<Program>>,
    /// Not to start before.
    pub begin: Option<Timestamp>,
    /// To be finished by.
    pub deadline: Option<Timestamp>,
    /// Tasks that may start now (of an array: within its `%limit`); 1 for a single job.
    pub ready: u32,
    /// Clusters that refused it since it was submitted.
    pub refused_by: Vec<ClusterId>,
    /// Closures that do not bind it, rising: reservations made for its user or project.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may_use: Vec<ClosureId>,
    /// QOSs whose allocations may be stopped for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may_preempt: Vec<String>,
    /// Priority of its QOS: only lower ones may be stopped for it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub qos_priority: u32,
}

fn is_zero(priority: &u32) -> bool {
    *priority == 0
}

impl Pending {
    /// Where it stands in the order.
    #[must_use]
    pub fn key(&self) -> PendingKey {
        PendingKey {
            priority: std::cmp::Reverse(self.priority),
            submitted: self.submitted,
            job: self.job,
        }
    }

    /// Its class: the jobs that are interchangeable to the scheduler.
    #[must_use]
    pub fn class(&self) -> ClassKey {
        let (shape, program) = (Arc::clone(&self.shape), self.program.clone());
        ClassKey { shape, queue: self.queue, program }
    }

    /// Whether it may use closures or stop others.
    pub(crate) fn is_privileged(&self) -> bool {
        !self.may_use.is_empty() || !self.may_preempt.is_empty()
    }

    /// Whether something besides its shape decides where and when it may start.
    pub(crate) fn has_own_conditions(&self) -> bool {
        self.begin.is_some()
            || self.deadline.is_some()
            || !self.refused_by.is_empty()
            || self.is_privileged()
    }
}
