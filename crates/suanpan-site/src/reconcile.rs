//! Comparing orders with what is observed.
//!
//! [`reconcile`] is a pure function that an agent calls again and again: after each message, after
//! each change on its machine, and by period. It keeps no memory of its own, so a lost message, a
//! crash or a repeated call changes nothing. The rules that hold whatever happens:
//!
//! - an allocation is launched only while nothing of it was ever observed, so at most once;
//! - a payload is warned of its stop once, while it runs;
//! - an order older than the one already acted on is refused;
//! - an allocation that is over is reported until its order disappears, then forgotten.

use crate::order::{Desired, Order, StopReason};
use std::collections::{BTreeMap, BTreeSet};
use suanpan_model::id::{AllocationId, Generation};

#[cfg(test)]
mod tests;

/// What an agent sees of one allocation on its machine. No entry means that nothing of it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Newest generation acted on here.
    pub generation: Generation,
    /// How far it is.
    pub progress: Progress,
}

/// How far an allocation is on the agent's machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Handed to a supervisor; the payload was not started yet.
    Staging,
    /// The payload runs under a living supervisor.
    Started,
    /// The same, and it was told that it will be stopped.
    Warned,
    /// Asked to stop; its processes are going away.
    Stopping,
    /// Its outcome is written down and nothing of it runs.
    Ended,
    /// Its supervisor is gone and wrote no outcome.
    Lost,
    /// Over for the control plane too; remembered so that it is never launched again.
    Forgotten,
}

/// What to do about one allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start it. Only ever asked for an allocation of which nothing is observed.
    Launch,
    /// Tell its payload that it will be stopped.
    Warn,
    /// Stop it, or write down that it will never start.
    Stop(StopReason),
    /// Find out what became of it, end what is left of it, and write its outcome down.
    Settle,
    /// Tell the control plane what is known.
    Report,
    /// Let go of it: its outcome is durable at the control plane.
    Forget,
}

/// What to do about every allocation that is ordered or observed.
#[must_use]
pub fn reconcile(
    orders: &BTreeMap<AllocationId, Order>,
    observed: &BTreeMap<AllocationId, Observed>,
) -> Vec<(AllocationId, Action)> {
    let ids: BTreeSet<AllocationId> = orders.keys().chain(observed.keys()).copied().collect();
    let judged = ids.into_iter().flat_map(|id| {
        judge(orders.get(&id), observed.get(&id)).iter().map(move |&action| (id, action))
    });
    judged.collect()
}

/// What to do about one allocation, in this order.
#[must_use]
pub fn judge(order: Option<&Order>, observed: Option<&Observed>) -> &'static [Action] {
    match (order, observed) {
        (None, None) => &[],
        (None, Some(seen)) => without_order(seen.progress),
        (Some(order), None) => match &order.desired {
            Desired::Run(_) => &[Action::Launch],
            Desired::Stop(reason) => stop(*reason),
        },
        (Some(order), Some(seen)) => match &order.desired {
            _ if seen.progress == Progress::Lost => &[Action::Settle],
            Desired::Stop(reason) if order.generation >= seen.generation => match seen.progress {
                Progress::Staging | Progress::Started | Progress::Warned => stop(*reason),
                _ => &[Action::Report],
            },
            Desired::Run(run) if run.stop_at.is_some() && seen.progress == Progress::Started => {
                &[Action::Warn, Action::Report]
            }
            Desired::Run(_) | Desired::Stop(_) => &[Action::Report],
        },
    }
}

/// Takes an order into what is known, unless a newer one for the same allocation is there.
pub fn accept(orders: &mut BTreeMap<AllocationId, Order>, order: Order) -> Accepted {
    match orders.get(&order.allocation) {
        Some(known) if known.generation > order.generation => Accepted::Stale,
        Some(known) if *known == order => Accepted::Repeated,
        _ => {
            orders.insert(order.allocation, order);
            Accepted::New
        }
    }
}

/// What became of an order that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is new or replaces an older one.
    New,
    /// It was there already.
    Repeated,
    /// A newer one was there; it is refused.
    Stale,
}

fn without_order(progress: Progress) -> &'static [Action] {
    match progress {
        Progress::Staging | Progress::Started | Progress::Warned => stop(StopReason::Cancelled),
        Progress::Lost => &[Action::Settle],
        Progress::Ended => &[Action::Forget],
        Progress::Stopping | Progress::Forgotten => &[],
    }
}

fn stop(reason: StopReason) -> &'static [Action] {
    match reason {
        StopReason::Cancelled => &[Action::Stop(StopReason::Cancelled), Action::Report],
        StopReason::Requeued => &[Action::Stop(StopReason::Requeued), Action::Report],
        StopReason::Preempted => &[Action::Stop(StopReason::Preempted), Action::Report],
        StopReason::Deadline => &[Action::Stop(StopReason::Deadline), Action::Report],
    }
}
