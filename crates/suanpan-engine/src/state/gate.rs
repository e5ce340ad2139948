//! Dependencies: whether they let a job start.

use super::{Job, State, Tasks, outcomes::Together};
use suanpan_model::dependency::{Condition, Join};
use suanpan_model::index_set::IndexSet;
use suanpan_model::job::{JobState, TaskRef};
use suanpan_model::time::{Seconds, Timestamp};

/// Whether a job's dependency lets it start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Gate {
    /// Not yet.
    #[default]
    Closed,
    /// All its tasks may, not before the time given (for `after:job+minutes`).
    Open {
        /// Not before; `Timestamp::default()` when there is no such condition.
        not_before: Timestamp,
    },
    /// Some of its pending tasks may (`aftercorr`).
    PerTask {
        /// Positions of those that may.
        ready: IndexSet,
        /// Positions of those that never may any more.
        hopeless: IndexSet,
    },
    /// Never: its dependency cannot be satisfied any more.
    Never,
}

/// What one condition says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Met(Timestamp),
    Waiting,
    Never,
}

impl State {
    /// Judges a live job's dependency from scratch.
    ///
    /// Costs O(conditions · log n), times the pending tasks if it has an `aftercorr`.
    pub(super) fn gate_of(&self, job: &Job) -> Gate {
        let Some(dependency) = &job.spec.dependency else {
            return Gate::Open { not_before: Timestamp::default() };
        };
        let conditions = dependency.conditions();
        let per_task = conditions.iter().any(|c| matches!(c, Condition::AfterCorr(_)));
        let whole = |position: Option<u32>| {
            let verdicts = conditions.iter().map(|c| self.verdict(job, *c, position));
            match dependency.join() {
                Join::All => verdicts.fold(Verdict::Met(Timestamp::default()), Ord::max),
                Join::Any => verdicts.fold(Verdict::Never, Ord::min),
            }
        };
        let Tasks::Array(array) = &job.tasks else {
            return gate(whole(Some(0)));
        };
        if !per_task {
            return gate(whole(None));
        }
        let (mut ready, mut hopeless) = (IndexSet::new(), IndexSet::new());
        for position in array.pending.iter() {
            match whole(Some(position)) {
                Verdict::Met(_) => {
                    ready.insert(position);
                }
                Verdict::Waiting => {}
                Verdict::Never => {
                    hopeless.insert(position);
                }
            }
        }
        Gate::PerTask { ready, hopeless }
    }

    fn verdict(&self, job: &Job, condition: Condition, position: Option<u32>) -> Verdict {
        match condition {
            Condition::Singleton => self.singleton(job),
            Condition::After { target, minutes } => self.after(target, minutes),
            Condition::AfterAny(target) => match self.together(target) {
                Together::Unfinished => Verdict::Waiting,
                Together::Completed | Together::NotCompleted => MET,
            },
            Condition::AfterOk(target) => wants(self.together(target), Together::Completed),
            Condition::AfterNotOk(target) => wants(self.together(target), Together::NotCompleted),
            Condition::AfterCorr(target) => self.corresponding(job, target, position),
        }
    }

    /// `aftercorr`: the task of the same index of the target has completed.
    fn corresponding(&self, job: &Job, target: TaskRef, position: Option<u32>) -> Verdict {
        let index = position.and_then(|position| job.index_at(position));
        let live = self.jobs.get(&target.job);
        let state = match (live, index) {
            (Some(other), Some(index)) => match other.position_of(index) {
                Some(at) => other.tasks.ended_state(at),
                None => return Verdict::Never,
            },
            (Some(_), None) => None,
            (None, Some(index)) => {
                let state = self.outcomes.state_of_index(target.job, index);
                if state.is_none() {
                    return Verdict::Never;
                }
                state
            }
            (None, None) => self.outcomes.state_of(target.job),
        };
        match state {
            Some(JobState::Completed) => MET,
            Some(_) => Verdict::Never,
            None => Verdict::Waiting,
        }
    }

    fn after(&self, target: TaskRef, minutes: u32) -> Verdict {
        let wait = Seconds(u64::from(minutes) * 60);
        match self.job(target.job) {
            // Ended or cancelled: its start is longer ago than anything that is remembered.
            None => MET,
            Some(other) => match other.first_started {
                Some(started) => Verdict::Met(started.plus(wait)),
                None => Verdict::Waiting,
            },
        }
    }

    /// No earlier job of the same name and owner is unfinished.
    fn singleton(&self, job: &Job) -> Verdict {
        let owner_and_name = (job.spec.user.clone(), job.spec.name.clone());
        let first = self.derived.by_name.get(&owner_and_name).and_then(|ids| ids.first());
        if first.is_none_or(|first| *first >= job.id) { MET } else { Verdict::Waiting }
    }

    fn together(&self, target: TaskRef) -> Together {
        let of_state = |state: Option<JobState>| match state {
            None => Together::Unfinished,
            Some(JobState::Completed) => Together::Completed,
            Some(_) => Together::NotCompleted,
        };
        match (self.job(target.job), target.index) {
            (Some(job), Some(index)) => {
                of_state(job.position_of(index).and_then(|p| job.tasks.ended_state(p)))
            }
            (Some(job), None) if job.id != target.job => {
                of_state(job.tasks.ended_state((target.job.0 - job.id.0) as u32))
            }
            (Some(_), None) => Together::Unfinished,
            (None, Some(index)) => of_state(self.outcomes.state_of_index(target.job, index)),
            (None, None) => {
                let count = self.outcomes.array(target.job).map_or(1, |array| array.count());
                self.outcomes.together(target.job, count)
            }
        }
    }
}

const MET: Verdict = Verdict::Met(Timestamp(0));

fn wants(is: Together, wanted: Together) -> Verdict {
    match is {
        Together::Unfinished => Verdict::Waiting,
        ended if ended == wanted => MET,
        _ => Verdict::Never,
    }
}

fn gate(verdict: Verdict) -> Gate {
    match verdict {
        Verdict::Met(not_before) => Gate::Open { not_before },
        Verdict::Waiting => Gate::Closed,
        Verdict::Never => Gate::Never,
    }
}
