//! `RecordContact`: contact with an agent was lost or found.

use crate::command::Caller;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;
use suanpan_model::id::ClusterId;
use suanpan_sched::snapshot::Contact;

pub(crate) fn decide(
    state: &State,
    caller: &Caller,
    cluster: ClusterId,
    contact: Contact,
) -> Result<Vec<Event>, Rejection> {
    if *caller != Caller::System {
        return Err(Rejection::SystemOnly);
    }
    let Some(known) = state.clusters.get(&cluster) else { return Ok(Vec::new()) };
    // What was heard of an agent before its cluster was revoked changes nothing after it.
    if known.contact.0 == contact || !known.is_member() {
        return Ok(Vec::new());
    }
    Ok(vec![Event::ContactChanged { cluster, contact }])
}
