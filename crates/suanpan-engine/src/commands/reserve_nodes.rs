//! `ReserveNodes`: nodes are kept for some users and projects, from a time to a time. What runs
//! there when it begins goes on until its limit; nothing is started that would run into it.

use super::drain_nodes::{administered, chosen};
use crate::command::{Caller, ReserveNodes};
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;
use suanpan_model::time::Timestamp;
use suanpan_sched::snapshot::{Closure, ClosureId, ClosureKind};

pub(crate) fn decide(
    state: &State,
    at: Timestamp,
    caller: &Caller,
    reserve: &ReserveNodes,
) -> Result<Vec<Event>, Rejection> {
    let inventory = administered(state, caller, reserve.cluster)?;
    let nodes = chosen(inventory, &reserve.nodes)?;
    let from = reserve.from.max(at);
    if reserve.until <= from {
        return Err(Rejection::EndsBeforeItBegins);
    }
    let cluster = &state.clusters[&reserve.cluster];
    if cluster.reservation(&reserve.name).is_some() {
        return Err(Rejection::ReservationExists(reserve.name.clone()));
    }
    let closure = Closure {
        id: ClosureId(state.next.closure),
        kind: ClosureKind::Reservation,
        nodes,
        from,
        until: reserve.until,
        reason: reserve.name.clone(),
    };
    Ok(vec![Event::NodesClosed {
        cluster: reserve.cluster,
        closure,
        by: Some(caller.clone()),
        users: reserve.users.clone(),
        projects: reserve.projects.clone(),
    }])
}
