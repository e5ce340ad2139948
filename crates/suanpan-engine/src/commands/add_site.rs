//! `AddSite`: a cluster may join with a token.

use crate::command::AddSite;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;
use suanpan_model::id::ClusterId;

pub(crate) fn decide(state: &State, site: &AddSite) -> Result<Vec<Event>, Rejection> {
    if state.clusters.values().any(|cluster| cluster.name == site.cluster) {
        return Err(Rejection::ClusterExists(site.cluster.clone()));
    }
    Ok(vec![Event::SiteAdded {
        cluster: ClusterId(state.next.cluster),
        name: site.cluster.clone(),
        token: site.token,
    }])
}
