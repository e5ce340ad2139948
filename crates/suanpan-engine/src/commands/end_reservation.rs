//! `EndReservation`: its nodes are everybody's again.

use super::drain_nodes::administered;
use crate::command::{Caller, EndReservation};
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;

pub(crate) fn decide(
    state: &State,
    caller: &Caller,
    end: &EndReservation,
) -> Result<Vec<Event>, Rejection> {
    administered(state, caller, end.cluster)?;
    let found = state.clusters[&end.cluster].reservation(&end.name);
    let found = found.ok_or_else(|| Rejection::UnknownReservation(end.name.clone()))?;
    let (closure, nodes) = (found.closure.id, found.closure.nodes.clone());
    Ok(vec![Event::NodesOpened { cluster: end.cluster, closure, nodes }])
}
