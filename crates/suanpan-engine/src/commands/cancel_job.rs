//! `CancelJob`: pending tasks end at once, placed ones get stop orders.

use crate::command::{Caller, Target};
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::{Gate, Job, State, Tasks};
use suanpan_model::index_set::IndexSet;
use suanpan_model::job::JobState;
use suanpan_site::order::StopReason;

pub(crate) fn decide(
    state: &State,
    caller: &Caller,
    target: Target,
) -> Result<Vec<Event>, Rejection> {
    let (job, position) = state.target(caller, target)?;
    let mut events = stop_placed(state, job, position, StopReason::Cancelled);
    events.extend(end_pending(job, position, JobState::Cancelled));
    Ok(events)
}

/// Ends the pending tasks of a job (or the one at `position`) in `ended`.
pub(crate) fn end_pending(job: &Job, position: Option<u32>, ended: JobState) -> Option<Event> {
    let positions = match (&job.tasks, position) {
        (Tasks::Single(task), _) if task.placed.is_some() => return None,
        (Tasks::Single(_), _) => IndexSet::new(),
        (Tasks::Array(array), None) => array.pending.clone(),
        (Tasks::Array(array), Some(position)) => {
            std::iter::once(position).filter(|p| array.pending.contains(*p)).collect()
        }
    };
    if matches!(job.tasks, Tasks::Array(_)) && positions.is_empty() {
        return None;
    }
    Some(Event::TasksEnded { job: job.id, positions, state: ended })
}

/// Ends those pending tasks of a job whose dependency can never be satisfied.
pub(crate) fn end_hopeless(job: &Job) -> Option<Event> {
    let Gate::PerTask { hopeless, .. } = &job.gate else {
        return end_pending(job, None, JobState::Cancelled);
    };
    let positions = hopeless.clone();
    Some(Event::TasksEnded { job: job.id, positions, state: JobState::Cancelled })
}

/// Stop orders for the placed tasks of a job (or the one at `position`) that have none yet.
pub(crate) fn stop_placed(
    state: &State,
    job: &Job,
    position: Option<u32>,
    reason: StopReason,
) -> Vec<Event> {
    job.tasks
        .placed()
        .filter(|(at, _)| position.is_none_or(|wanted| wanted == *at))
        .filter_map(|(_, id)| {
            let allocation = &state.allocations[&id];
            // A cancellation replaces a requeue, never the other way round.
            let replaces = match allocation.stopping {
                None => true,
                Some(StopReason::Requeued) => reason != StopReason::Requeued,
                Some(_) => false,
            };
            replaces.then(|| allocation.stopping(reason, None))
        })
        .collect()
}
