//! `HoldJob`: pending tasks do not start until the job is released.

use crate::command::{Caller, Target};
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;
use suanpan_model::job::Hold;

pub(crate) fn decide(
    state: &State,
    caller: &Caller,
    target: Target,
) -> Result<Vec<Event>, Rejection> {
    let (job, position) = state.target(caller, target)?;
    if position.is_some() {
        return Err(Rejection::HoldOfTask(job.task_ref(position)));
    }
    if job.tasks.pending_count() == 0 {
        return Err(Rejection::NothingPending(job.id));
    }
    if job.spec.hold == Hold::User {
        return Ok(Vec::new());
    }
    Ok(vec![Event::JobHeld { job: job.id }])
}
