//! `RecordInventory`: an agent says what its cluster has.

use super::record_replicas::left_behind;
use crate::command::Caller;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;
use std::sync::Arc;
use suanpan_model::site::Inventory;
use suanpan_sched::snapshot::Contact;

pub(crate) fn decide(
    state: &State,
    caller: &Caller,
    inventory: &Arc<Inventory>,
) -> Result<Vec<Event>, Rejection> {
    let Caller::Agent(cluster) = caller else { return Err(Rejection::WrongAgent) };
    let known = state.clusters.get(cluster).filter(|known| known.is_member());
    let known = known.ok_or(Rejection::WrongAgent)?;
    if known.name != inventory.cluster {
        return Err(Rejection::InvalidInventory {
            field: "cluster".into(),
            value: inventory.cluster.clone(),
            expected: format!("`{}`, the cluster this token was made for", known.name),
        });
    }
    if let Some((field, value, expected)) = inventory.problems().into_iter().next() {
        return Err(Rejection::InvalidInventory { field, value, expected });
    }
    let mut events = Vec::new();
    if known.inventory.as_ref() != Some(inventory) {
        let leaves = (known.site() != inventory.site).then(|| left_behind(state, *cluster));
        let inventory = Arc::clone(inventory);
        events.push(Event::InventoryRecorded { cluster: *cluster, inventory });
        // Its agent says what it holds at the site it is at now.
        events.extend(leaves.flatten());
    }
    if known.contact.0 != Contact::Reachable {
        events.push(Event::ContactChanged { cluster: *cluster, contact: Contact::Reachable });
    }
    Ok(events)
}
