//! `WithdrawQueued`: a site was silent for so long that what did not begin there is placed
//! elsewhere. What began goes on, and is reported when the site is back.
//!
//! This is safe only where a job asks before it begins: nothing that the control plane does not
//! know to have begun has begun, or will, because the answer to a withdrawn allocation is no. The
//! drivers for which that holds are those of [`asks_before_start`].

use super::record_reports;
use crate::command::Caller;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;
use suanpan_model::id::ClusterId;
use suanpan_model::site::DriverKind;
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_sched::snapshot::Contact;

/// Allocations withdrawn by one command, so that one record stays of bounded size.
const BATCH: usize = 1_000;

pub(crate) fn decide(
    state: &State,
    now: Timestamp,
    caller: &Caller,
    cluster: ClusterId,
    silent: Seconds,
) -> Result<Vec<Event>, Rejection> {
    if *caller != Caller::System {
        return Err(Rejection::SystemOnly);
    }
    let Some(known) = state.clusters.get(&cluster) else { return Ok(Vec::new()) };
    if known.contact.0 != Contact::Silent {
        return Ok(Vec::new());
    }
    let driver = known.inventory.as_ref().map(|inventory| inventory.driver);
    let asks = driver.is_some_and(asks_before_start);
    let waiting = known.allocations.iter().map(|id| (*id, &state.allocations[id]));
    let waiting = waiting.filter(|(_, allocation)| asks && allocation.started_at.is_none());
    let reason = format!("withdrawn: the site was silent for {} s", silent.0);
    let events = waiting.take(BATCH).map(|(id, allocation)| {
        record_reports::refused(state, allocation, id, now, reason.clone())
    });
    let unbound = state.bound_arrays(cluster).next().map(|_| Event::ArraysUnbound { cluster });
    Ok(events.chain(unbound).collect())
}

/// Whether jobs of this driver begin only once the control plane knows that they do.
pub(super) fn asks_before_start(driver: DriverKind) -> bool {
    match driver {
        DriverKind::Slurm => true,
        DriverKind::Local | DriverKind::Noop => false,
    }
}
