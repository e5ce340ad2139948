//! `ReleaseJob`: a held job may start again.

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
    if job.spec.hold == Hold::None {
        return Err(Rejection::NotHeld(job.id));
    }
    Ok(vec![Event::JobReleased { job: job.id }])
}
