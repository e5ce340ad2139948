//! `DrainNodes`: nothing new runs on some nodes. The cluster's own agent may ask it, as the site
//! decides over its nodes; which users may is decided by the server.

use crate::command::{Caller, DrainNodes, NodeChoice};
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;
use std::collections::BTreeSet;
use suanpan_model::id::ClusterId;
use suanpan_model::site::Inventory;
use suanpan_model::time::Timestamp;
use suanpan_sched::snapshot::{Closure, ClosureId, ClosureKind};

pub(crate) fn decide(
    state: &State,
    at: Timestamp,
    caller: &Caller,
    drain: &DrainNodes,
) -> Result<Vec<Event>, Rejection> {
    let inventory = administered(state, caller, drain.cluster)?;
    let nodes = chosen(inventory, &drain.nodes)?;
    let from = drain.from.unwrap_or(at).max(at);
    let until = drain.until.unwrap_or(Timestamp::MAX);
    if until <= from {
        return Err(Rejection::EndsBeforeItBegins);
    }
    let closure = Closure {
        id: ClosureId(state.next.closure),
        kind: ClosureKind::Drain,
        nodes,
        from,
        until,
        reason: drain.reason.clone(),
    };
    Ok(vec![Event::NodesClosed {
        cluster: drain.cluster,
        closure,
        by: Some(caller.clone()),
        users: Vec::new(),
        projects: Vec::new(),
    }])
}

/// The inventory of a cluster whose nodes the caller may close: anybody but another's agent.
pub(super) fn administered<'s>(
    state: &'s State,
    caller: &Caller,
    id: ClusterId,
) -> Result<&'s Inventory, Rejection> {
    match caller {
        Caller::System | Caller::User(_) => {}
        Caller::Agent(own) if *own == id => {}
        Caller::Agent(_) | Caller::Invited => return Err(Rejection::WrongAgent),
    }
    let cluster = state.clusters.get(&id).ok_or(Rejection::UnknownCluster(id))?;
    cluster.inventory.as_deref().ok_or(Rejection::UnknownCluster(id))
}

/// The names of the nodes that are meant, each once.
pub(super) fn chosen(inventory: &Inventory, choice: &NodeChoice) -> Result<Vec<String>, Rejection> {
    let name = |index: &u32| inventory.nodes[*index as usize].name.clone();
    let names: BTreeSet<String> = match choice {
        NodeChoice::All => inventory.nodes.iter().map(|node| node.name.clone()).collect(),
        NodeChoice::Partition(wanted) => {
            let found = inventory.partitions.iter().find(|one| one.name == *wanted);
            let found = found.ok_or_else(|| Rejection::UnknownPartition(wanted.clone()))?;
            found.nodes.iter().map(name).collect()
        }
        NodeChoice::Named(names) => {
            let known = |name: &&String| inventory.nodes.iter().all(|node| node.name != **name);
            if let Some(unknown) = names.iter().find(known) {
                return Err(Rejection::UnknownNode(unknown.clone()));
            }
            names.iter().cloned().collect()
        }
    };
    match names.is_empty() {
        true => Err(Rejection::NoNodes),
        false => Ok(names.into_iter().collect()),
    }
}
