//! `RequeueJob`: what runs is stopped and pends again.

use super::cancel_job::stop_placed;
use crate::command::{Caller, Target};
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;
use suanpan_site::order::StopReason;

pub(crate) fn decide(
    state: &State,
    caller: &Caller,
    target: Target,
) -> Result<Vec<Event>, Rejection> {
    let (job, position) = state.target(caller, target)?;
    let mut placed = job.tasks.placed();
    if !placed.any(|(at, _)| position.is_none_or(|wanted| wanted == at)) {
        return Err(Rejection::NotRunning(job.task_ref(position)));
    }
    Ok(stop_placed(state, job, position, StopReason::Requeued))
}
