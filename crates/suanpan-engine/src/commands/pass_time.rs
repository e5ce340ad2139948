//! `PassTime`: deadlines fall due, jobs that can never start end if they asked for it, clusters
//! that refused a job are asked again, drains and reservations end, priorities are worked out
//! anew, what was preempted is stopped when its grace is over, sites over their quota let data
//! go, and old idempotency keys are forgotten.

use super::cancel_job::{end_hopeless, end_pending, stop_placed};
use crate::command::Caller;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;
use std::collections::BTreeSet;
use suanpan_model::job::JobState;
use suanpan_model::time::Timestamp;
use suanpan_sched::order::priority::{PriorityPolicy, UserShare};
use suanpan_site::order::StopReason;

/// The fair shares as of a time.
pub(super) fn shares_now(state: &State, policy: &PriorityPolicy, at: Timestamp) -> Vec<UserShare> {
    let used = state.usage_at(policy, at);
    policy.fair_shares(used.into_iter().map(|((project, user), usage)| (project, user, usage)))
}

/// Jobs ended by one command, so that one record stays of bounded size.
const BATCH: usize = 1_000;

pub(crate) fn decide(
    state: &State,
    at: Timestamp,
    caller: &Caller,
) -> Result<Vec<Event>, Rejection> {
    if *caller != Caller::System {
        return Err(Rejection::SystemOnly);
    }
    // First, while the jobs are surely live.
    let refused = state.refusals_due(at).take(BATCH);
    let mut events: Vec<Event> = refused.map(|job| Event::RefusalsForgotten { job }).collect();
    events.extend(state.closures_due(at).take(BATCH).map(|(cluster, closure)| {
        let (id, nodes) = (closure.id, closure.nodes.clone());
        Event::NodesOpened { cluster, closure: id, nodes }
    }));
    let graceless = state.graces_due(at).take(BATCH);
    events.extend(graceless.map(|(live, by)| live.stopping(StopReason::Preempted, Some(by))));
    let mut ended = BTreeSet::new();
    let due = state.derived.deadlines.iter().take_while(|(deadline, _)| *deadline <= at);
    for (_, id) in due.take(BATCH) {
        let job = &state.jobs[id];
        ended.insert(*id);
        events.extend(stop_placed(state, job, None, StopReason::Deadline));
        events.extend(end_pending(job, None, JobState::Deadline));
    }
    for id in state.derived.doomed.iter().filter(|id| !ended.contains(id)).take(BATCH) {
        events.extend(end_hopeless(&state.jobs[id]));
    }
    if let Some(policy) = state.priorities_due(at) {
        events.push(Event::JobsPrioritized { shares: shares_now(state, policy, at) });
    }
    if state.keys.are_due(at) {
        let before = Timestamp(at.0 - crate::state::KEYS_KEPT.micros());
        events.push(Event::KeysForgotten { before });
    }
    if let Some((site, manifests)) = state.eviction_due() {
        events.push(Event::ReplicasEvicted { site, manifests });
    }
    Ok(events)
}
