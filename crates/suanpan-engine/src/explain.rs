//! Why a job is where it is, as far as the engine knows; the scheduler knows the rest.

use crate::state::{Gate, State};
use suanpan_model::id::{AllocationId, JobId};
use suanpan_model::job::{Hold, JobState, TaskRef};
use suanpan_model::time::Timestamp;
use suanpan_sched::reason::WaitingFor;
use suanpan_sched::snapshot::ClassKey;

/// Why a job or task is where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Explained {
    /// No job was ever given this id.
    Unknown,
    /// It is over.
    Finished(JobState),
    /// It is placed; several allocations for an array as a whole.
    Placed(Vec<AllocationId>),
    /// It may not start, whatever is free.
    Blocked {
        /// The job (of a task: its array).
        job: JobId,
        /// Why.
        reason: WaitingFor,
        /// The dependency, begin time or limit, in words.
        detail: String,
        /// Its class for the scheduler.
        class: ClassKey,
    },
    /// It may start as soon as the scheduler finds a place.
    Eligible {
        /// The job.
        job: JobId,
        /// Its class for the scheduler.
        class: ClassKey,
    },
}

impl State {
    /// Says why a job or task is where it is.
    #[must_use]
    pub fn explain(&self, now: Timestamp, task: TaskRef) -> Explained {
        let Some(job) = self.job(task.job) else {
            let state = match task.index {
                Some(index) => self.outcomes.state_of_index(task.job, index),
                None => self.outcomes.state_of(task.job),
            };
            return state.map_or(Explained::Unknown, Explained::Finished);
        };
        let position = match task.index {
            Some(index) => match job.position_of(index) {
                None => return Explained::Unknown,
                found => found,
            },
            None => (task.job != job.id).then(|| (task.job.0 - job.id.0) as u32),
        };
        if let Some(state) = position.and_then(|position| job.tasks.ended_state(position)) {
            return Explained::Finished(state);
        }
        let placed: Vec<AllocationId> = job
            .tasks
            .placed()
            .filter(|(at, _)| position.is_none_or(|wanted| wanted == *at))
            .map(|(_, allocation)| allocation)
            .collect();
        if !placed.is_empty() {
            return Explained::Placed(placed);
        }
        let class = self.class_of(job);
        match self.blocked(now, job, position) {
            Some((reason, detail)) => Explained::Blocked { job: job.id, reason, detail, class },
            None => Explained::Eligible { job: job.id, class },
        }
    }

    fn blocked(
        &self,
        now: Timestamp,
        job: &crate::state::Job,
        position: Option<u32>,
    ) -> Option<(WaitingFor, String)> {
        let dependency = || job.spec.dependency.as_ref().map_or(String::new(), |d| d.to_string());
        if job.spec.hold == Hold::User {
            return Some((WaitingFor::JobHeldUser, format!("suanpan release {}", job.id)));
        }
        match &job.gate {
            Gate::Never => return Some((WaitingFor::DependencyNeverSatisfied, dependency())),
            Gate::Closed => return Some((WaitingFor::Dependency, dependency())),
            Gate::PerTask { ready, hopeless } => {
                let waiting = job.tasks.pending_count();
                let is_hopeless = |position| hopeless.contains(position);
                if position.map_or(hopeless.count() == waiting && waiting > 0, is_hopeless) {
                    return Some((WaitingFor::DependencyNeverSatisfied, dependency()));
                }
                if position.map_or(ready.is_empty(), |position| !ready.contains(position)) {
                    return Some((WaitingFor::Dependency, dependency()));
                }
            }
            Gate::Open { not_before } if *not_before > now => {
                return Some((WaitingFor::Dependency, dependency()));
            }
            Gate::Open { .. } => {}
        }
        if job.spec.begin.is_some_and(|begin| begin > now) {
            return Some((WaitingFor::BeginTime, String::new()));
        }
        if let Some(missing) = self.missing_input(job) {
            return Some((WaitingFor::InputMissing, missing.to_string()));
        }
        if job.ready_count() == 0 {
            let limit = job.spec.array.as_ref().and_then(|array| array.limit()).unwrap_or(0);
            return Some((WaitingFor::JobArrayTaskLimit, format!("%{limit}")));
        }
        None
    }
}
