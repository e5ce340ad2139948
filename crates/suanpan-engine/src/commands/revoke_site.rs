//! `RevokeSite`: a cluster takes part no longer. Nothing that its agent says from now on counts, so
//! what was placed there is lost: it may be running, and nobody will hear how it ends. Lost tasks
//! wait again if they were submitted with requeue, and end as `NodeFail` otherwise. Nothing is
//! charged for time that was not reported. Where jobs ask before they begin, as at a silent site,
//! what was not known to have begun never will, and waits again in any case. Data that it held
//! counts as gone.

use super::record_replicas::left_behind;
use super::record_reports::ended;
use super::withdraw_queued::asks_before_start;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::{Allocation, Standing, State};
use suanpan_model::id::ClusterId;
use suanpan_model::job::{End, PayloadReach, Usage};
use suanpan_model::time::Timestamp;
use suanpan_site::report::Outcome;

pub(crate) fn decide(state: &State, at: Timestamp, id: ClusterId) -> Result<Vec<Event>, Rejection> {
    let cluster = state.clusters.get(&id).ok_or(Rejection::UnknownCluster(id))?;
    if cluster.standing == Standing::Revoked {
        return Ok(Vec::new());
    }
    let driver = cluster.inventory.as_ref().map(|inventory| inventory.driver);
    let asks = driver.is_some_and(asks_before_start);
    let lost = |live: &Allocation| Outcome {
        end: End::Lost,
        // Elsewhere its order may have reached the site, so that it may have begun.
        payload: match asks && live.started_at.is_none() {
            true => PayloadReach::NeverStarted,
            false => PayloadReach::Started,
        },
        usage: Usage::default(),
        message: "the site was revoked".to_owned(),
    };
    let live = cluster.allocations.iter().map(|id| &state.allocations[id]);
    let mut events: Vec<Event> =
        live.map(|one| ended(state, one, at.max(one.placed_at), &lost(one))).collect();
    if state.bound_arrays(id).next().is_some() {
        events.push(Event::ArraysUnbound { cluster: id });
    }
    events.push(Event::SiteRevoked { cluster: id });
    events.extend(left_behind(state, id));
    Ok(events)
}
