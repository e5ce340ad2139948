//! Live jobs and their tasks.

use super::gate::Gate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use suanpan_model::id::{AllocationId, ClusterId, JobId};
use suanpan_model::index_set::IndexSet;
use suanpan_model::job::{JobSpec, JobState, TaskRef};
use suanpan_model::time::Timestamp;

/// A job that is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// When it was submitted.
    pub submitted: Timestamp,
    /// What is meant.
    pub spec: JobSpec,
    /// When its first task started, for `after` dependencies.
    pub first_started: Option<Timestamp>,
    /// Its tasks.
    pub tasks: Tasks,
    /// Clusters that refused it lately.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_by: Vec<ClusterId>,
    /// When the last of them did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_at: Option<Timestamp>,
    /// The cluster to which the rest of its array goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<ClusterId>,
    /// When something was last stopped for it because of what that held of a quota; it goes
    /// before all others until it starts, or what was stopped might start again in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_back_at: Option<Timestamp>,
    /// As last worked out; larger first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: i64,
    /// Whether its dependency lets it start. Derived.
    #[serde(skip)]
    pub gate: Gate,
}

fn is_zero(priority: &i64) -> bool {
    *priority == 0
}

/// The tasks of a job: one, or those of an array, materialized while they are placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tasks {
    /// A job that is no array.
    Single(SingleTask),
    /// An array job.
    Array(ArrayTasks),
}

/// The task of a job that is no array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SingleTask {
    /// Where it is placed, if it is.
    pub placed: Option<AllocationId>,
    /// How often it was started before.
    pub restarts: u32,
}

/// Tasks of an array by position (the k-th index of its list), as sets of intervals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrayTasks {
    /// How many there are.
    pub count: u32,
    /// Those not placed and not over.
    pub pending: IndexSet,
    /// Those placed.
    pub placed: BTreeMap<u32, AllocationId>,
    /// Those over, by terminal state.
    pub ended: BTreeMap<JobState, IndexSet>,
    /// How often a task was started before, where it was.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub restarts: BTreeMap<u32, u32>,
}

impl Tasks {
    /// Tasks of a new job.
    #[must_use]
    pub fn new(spec: &JobSpec) -> Tasks {
        match &spec.array {
            None => Tasks::Single(SingleTask::default()),
            Some(array) => {
                let count = u32::try_from(array.count()).expect("arrays have at most 10 M tasks");
                let mut pending = IndexSet::new();
                pending.insert_range(0..=count - 1);
                Tasks::Array(ArrayTasks { count, pending, ..ArrayTasks::default() })
            }
        }
    }

    /// How many job ids the tasks take.
    #[must_use]
    pub fn id_count(&self) -> u64 {
        match self {
            Tasks::Single(_) => 1,
            Tasks::Array(array) => u64::from(array.count),
        }
    }

    /// Number of tasks neither placed nor over.
    #[must_use]
    pub fn pending_count(&self) -> u64 {
        match self {
            Tasks::Single(task) => u64::from(task.placed.is_none()),
            Tasks::Array(array) => array.pending.count(),
        }
    }

    /// Whether the task at a position is neither placed nor over.
    #[must_use]
    pub fn is_pending(&self, position: u32) -> bool {
        match self {
            Tasks::Single(task) => task.placed.is_none(),
            Tasks::Array(array) => array.pending.contains(position),
        }
    }

    /// Allocations of placed tasks, with positions (0 for a single task).
    pub fn placed(&self) -> impl Iterator<Item = (u32, AllocationId)> + '_ {
        let (single, array) = match self {
            Tasks::Single(task) => (task.placed.map(|id| (0, id)), None),
            Tasks::Array(array) => (None, Some(array.placed.iter().map(|(p, id)| (*p, *id)))),
        };
        single.into_iter().chain(array.into_iter().flatten())
    }

    /// How often the task at a position was started before.
    #[must_use]
    pub fn restarts(&self, position: u32) -> u32 {
        match self {
            Tasks::Single(task) => task.restarts,
            Tasks::Array(array) => array.restarts.get(&position).copied().unwrap_or(0),
        }
    }

    /// Terminal state of the task at a position of an array, if it is over.
    #[must_use]
    pub fn ended_state(&self, position: u32) -> Option<JobState> {
        let Tasks::Array(array) = self else { return None };
        array.ended.iter().find(|(_, set)| set.contains(position)).map(|(state, _)| *state)
    }
}

impl Job {
    /// The position of an array index; `None` when the job has no such task.
    #[must_use]
    pub fn position_of(&self, index: u32) -> Option<u32> {
        let position = self.spec.array.as_ref()?.position(index)?;
        u32::try_from(position).ok()
    }

    /// The array index at a position.
    #[must_use]
    pub fn index_at(&self, position: u32) -> Option<u32> {
        self.spec.array.as_ref()?.nth(u64::from(position))
    }

    /// How people name the job or one of its tasks.
    #[must_use]
    pub fn task_ref(&self, position: Option<u32>) -> TaskRef {
        TaskRef { job: self.id, index: position.and_then(|p| self.index_at(p)) }
    }

    /// How many tasks may start now as far as holds, dependencies and the array's limit go.
    #[must_use]
    pub fn ready_count(&self) -> u32 {
        if self.spec.hold != suanpan_model::job::Hold::None {
            return 0;
        }
        let open = match &self.gate {
            Gate::Open { .. } => self.tasks.pending_count(),
            Gate::PerTask { ready, .. } => ready.count(),
            Gate::Closed | Gate::Never => 0,
        };
        let room = match (&self.tasks, self.spec.array.as_ref().and_then(|a| a.limit())) {
            (Tasks::Array(array), Some(limit)) => {
                u64::from(limit).saturating_sub(array.placed.len() as u64)
            }
            _ => u64::MAX,
        };
        u32::try_from(open.min(room)).unwrap_or(u32::MAX)
    }

    /// Positions that may start now, lowest first, without regard to the array's limit.
    #[must_use]
    pub fn ready_positions(&self) -> Box<dyn Iterator<Item = u32> + '_> {
        match (&self.gate, &self.tasks) {
            (Gate::PerTask { ready, .. }, _) => Box::new(ready.iter()),
            (Gate::Open { .. }, Tasks::Array(array)) => Box::new(array.pending.iter()),
            (Gate::Open { .. }, Tasks::Single(task)) => {
                Box::new(std::iter::once(0).filter(|_| task.placed.is_none()))
            }
            (Gate::Closed | Gate::Never, _) => Box::new(std::iter::empty()),
        }
    }

    /// Whether every task is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match &self.tasks {
            Tasks::Single(_) => false,
            Tasks::Array(array) => array.pending.is_empty() && array.placed.is_empty(),
        }
    }
}
