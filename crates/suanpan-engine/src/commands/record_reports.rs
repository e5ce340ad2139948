//! `RecordReports`: what an agent saw. Facts already known, and facts about allocations that are
//! over, change nothing, so agents may repeat themselves.

use crate::command::Caller;
use crate::event::{Event, Then};
use crate::rejection::Rejection;
use crate::state::{Allocation, State};
use std::collections::BTreeMap;
use suanpan_model::id::AllocationId;
use suanpan_model::job::{End, JobState, PayloadReach, Requeue};
use suanpan_model::money::MicroCredits;
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_sched::order::priority::WhenPreempted;
use suanpan_site::order::StopReason;
use suanpan_site::report::{Fact, Outcome, Report};

/// A task that failed so often through no fault of its own is not tried again.
const RESTARTS_MAX: u32 = 10;

pub(crate) fn decide(
    state: &State,
    now: Timestamp,
    caller: &Caller,
    reports: &[Report],
) -> Result<Vec<Event>, Rejection> {
    let Caller::Agent(cluster) = caller else { return Err(Rejection::WrongAgent) };
    let mut events = Vec::new();
    let mut seen: BTreeMap<AllocationId, Seen> = BTreeMap::new();
    for report in reports {
        let Some(allocation) = state.allocations.get(&report.allocation) else { continue };
        if allocation.placed.cluster != *cluster {
            return Err(Rejection::WrongAgent);
        }
        let seen = seen.entry(report.allocation).or_insert_with(|| Seen::of(allocation));
        events.extend(judge(state, now, allocation, seen, report));
    }
    Ok(events)
}

/// How far an allocation has come, with the reports of this command.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Placed,
    Staging,
    Started,
    Over,
}

impl Seen {
    fn of(allocation: &Allocation) -> Seen {
        match (allocation.staging_at, allocation.started_at) {
            (_, Some(_)) => Seen::Started,
            (Some(_), None) => Seen::Staging,
            (None, None) => Seen::Placed,
        }
    }
}

fn judge(
    state: &State,
    now: Timestamp,
    allocation: &Allocation,
    seen: &mut Seen,
    report: &Report,
) -> Option<Event> {
    let id = report.allocation;
    // The agent's clock may differ; what it says lies between the placement and now.
    let at = report.at.clamp(allocation.placed_at, now.max(allocation.placed_at));
    let (next, event) = match &report.fact {
        Fact::Staging => (Seen::Staging, Event::AllocationStaging { allocation: id, at }),
        Fact::Started => (Seen::Started, Event::AllocationStarted { allocation: id, at }),
        Fact::Refused { reason } => {
            let reason = reason.clone();
            (Seen::Over, refused(state, allocation, id, at, reason))
        }
        Fact::Ended(outcome) => (Seen::Over, ended(state, allocation, at, outcome)),
    };
    if next <= *seen {
        return None;
    }
    *seen = next;
    Some(event)
}

/// A refusal sends the task elsewhere, unless it was to be stopped anyhow.
pub(super) fn refused(
    state: &State,
    allocation: &Allocation,
    id: AllocationId,
    at: Timestamp,
    reason: String,
) -> Event {
    match allocation.stopping.and_then(|reason| state_of_stop(state, allocation, reason)) {
        None => Event::AllocationRefused { allocation: id, reason },
        Some(state) => Event::AllocationEnded {
            allocation: id,
            at,
            outcome: Outcome {
                end: End::Cancelled,
                payload: PayloadReach::NeverStarted,
                usage: suanpan_model::job::Usage::default(),
                message: reason,
            },
            charge: MicroCredits::ZERO,
            then: Then::Over(state),
        },
    }
}

pub(super) fn ended(
    state: &State,
    allocation: &Allocation,
    at: Timestamp,
    outcome: &Outcome,
) -> Event {
    Event::AllocationEnded {
        allocation: allocation.placed.id,
        at,
        outcome: outcome.clone(),
        charge: charge(allocation, outcome),
        then: then(state, allocation, outcome),
    }
}

/// The flavor's price for the time used, at most what was set aside; nothing for an attempt whose
/// payload was never reached.
fn charge(allocation: &Allocation, outcome: &Outcome) -> MicroCredits {
    if outcome.payload == PayloadReach::NeverStarted {
        return MicroCredits::ZERO;
    }
    let placed = &allocation.placed;
    let nodes = u32::try_from(placed.node_names.len()).expect("gangs have fewer than 2^32 nodes");
    let used = Seconds(outcome.usage.wall_us.div_ceil(1_000_000));
    placed.price.charge(&placed.per_node, nodes, used).min(placed.prediction.cost)
}

fn then(state: &State, allocation: &Allocation, outcome: &Outcome) -> Then {
    let job = &state.jobs[&allocation.placed.job];
    let may_restart = allocation.restarts < RESTARTS_MAX;
    let over = match (outcome.end, outcome.payload) {
        (End::Exited { code: 0 }, PayloadReach::Started) => JobState::Completed,
        (End::Exited { .. } | End::Signalled { .. }, _) => JobState::Failed,
        (End::StartFailed, _) => JobState::Failed,
        (End::TimedOut, _) => JobState::Timeout,
        (End::OutOfMemory, _) => JobState::OutOfMemory,
        (End::Cancelled, _) => JobState::Cancelled,
        (End::Lost, _) => JobState::NodeFail,
    };
    let stopped = |reason| state_of_stop(state, allocation, reason);
    // What was warned and ends within its grace gave way, unless it had done its work.
    let gave_way = allocation.preempted.is_some() && allocation.stopping.is_none();
    if gave_way && over != JobState::Completed {
        return stopped(StopReason::Preempted).map_or(Then::Requeued, Then::Over);
    }
    if allocation.stopping.is_some_and(|reason| stopped(reason).is_none()) {
        return if over == JobState::Completed { Then::Over(over) } else { Then::Requeued };
    }
    if let Some(stopped) = allocation.stopping.and_then(stopped) {
        // What ended by itself before the stop order reached it ended as it says.
        let by_itself = matches!(outcome.end, End::Exited { .. } | End::TimedOut)
            || outcome.end == End::OutOfMemory;
        return Then::Over(if by_itself { over } else { stopped });
    }
    let safe = outcome.payload == PayloadReach::NeverStarted;
    let asked = job.spec.requeue == Requeue::OnFailure;
    if outcome.end == End::Lost && may_restart && (safe || asked) {
        return Then::Requeued;
    }
    Then::Over(over)
}

/// The state of a task whose attempt was stopped; `None` if it waits again.
fn state_of_stop(state: &State, allocation: &Allocation, reason: StopReason) -> Option<JobState> {
    match reason {
        StopReason::Cancelled => Some(JobState::Cancelled),
        StopReason::Deadline => Some(JobState::Deadline),
        StopReason::Preempted => match state.when_preempted(allocation) {
            WhenPreempted::Requeue => None,
            WhenPreempted::Cancel => Some(JobState::Preempted),
        },
        StopReason::Requeued => None,
    }
}
