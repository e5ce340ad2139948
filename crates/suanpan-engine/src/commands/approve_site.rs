//! `ApproveSite`: a cluster whose agent joined takes part. Of one that does, it changes nothing.

use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::{Standing, State};
use suanpan_model::id::ClusterId;

pub(crate) fn decide(state: &State, id: ClusterId) -> Result<Vec<Event>, Rejection> {
    let cluster = state.clusters.get(&id).ok_or(Rejection::UnknownCluster(id))?;
    match cluster.standing {
        Standing::Joined => Ok(vec![Event::SiteApproved { cluster: id }]),
        Standing::Member => Ok(Vec::new()),
        Standing::Invited | Standing::Revoked => Err(Rejection::NotJoined(cluster.name.clone())),
    }
}
