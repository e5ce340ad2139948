//! `UndrainNodes`: drained nodes are back. Reservations stay.

use super::drain_nodes::{administered, chosen};
use crate::command::{Caller, NodeChoice, UndrainNodes};
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;
use suanpan_sched::snapshot::ClosureKind;

pub(crate) fn decide(
    state: &State,
    caller: &Caller,
    undrain: &UndrainNodes,
) -> Result<Vec<Event>, Rejection> {
    let inventory = administered(state, caller, undrain.cluster)?;
    let cluster = &state.clusters[&undrain.cluster];
    // A drained node that has left the inventory can still be named.
    let names = match &undrain.nodes {
        NodeChoice::Named(names) => names.clone(),
        other => chosen(inventory, other)?,
    };
    let mut events = Vec::new();
    for (id, closed) in &cluster.closures {
        if closed.closure.kind != ClosureKind::Drain {
            continue;
        }
        let all = undrain.nodes == NodeChoice::All;
        let back = |name: &&String| all || names.contains(name);
        let nodes: Vec<String> = closed.closure.nodes.iter().filter(back).cloned().collect();
        if !nodes.is_empty() {
            events.push(Event::NodesOpened { cluster: undrain.cluster, closure: *id, nodes });
        }
    }
    match events.is_empty() {
        true => Err(Rejection::NotDrained),
        false => Ok(events),
    }
}
