//! `SetPriorities`: how jobs are ordered. Without a policy they go by submission.

use super::pass_time::shares_now;
use crate::command::Caller;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;
use suanpan_model::time::Timestamp;
use suanpan_sched::order::priority::PriorityPolicy;

pub(crate) fn decide(
    state: &State,
    at: Timestamp,
    caller: &Caller,
    policy: Option<&PriorityPolicy>,
) -> Result<Vec<Event>, Rejection> {
    // Which users may is decided by the server.
    if matches!(caller, Caller::Agent(_)) {
        return Err(Rejection::WrongAgent);
    }
    if state.priorities.policy.as_deref() == policy {
        return Ok(Vec::new());
    }
    let mut events = vec![Event::PrioritiesSet { policy: policy.cloned().map(Box::new) }];
    if let Some(policy) = policy {
        events.push(Event::JobsPrioritized { shares: shares_now(state, policy, at) });
    }
    Ok(events)
}
