//! `JoinSite`: an agent joins by an invitation, with a token that it made itself. The invitation
//! works once; the agent it worked for may ask again, because the answer may have been lost.

use crate::command::JoinSite;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;
use suanpan_model::time::Timestamp;

pub(crate) fn decide(
    state: &State,
    at: Timestamp,
    join: &JoinSite,
) -> Result<Vec<Event>, Rejection> {
    let invitation_of = |cluster: &crate::state::Cluster| cluster.invitation.map(|one| one.token);
    let found = state.clusters().find(|(_, one)| invitation_of(one) == Some(join.invitation));
    let (id, cluster) = found.ok_or(Rejection::UnknownInvitation)?;
    let name = || cluster.name.clone();
    if cluster.name != join.cluster {
        let named = join.cluster.clone();
        return Err(Rejection::InvitedAsAnother { invited: name(), named });
    }
    match cluster.token {
        Some(token) if token == join.token => Ok(Vec::new()),
        Some(_) => Err(Rejection::InvitationUsed(name())),
        None if cluster.invitation.is_some_and(|one| one.expires <= at) => {
            Err(Rejection::InvitationExpired(name()))
        }
        None => Ok(vec![Event::SiteJoined { cluster: id, token: join.token }]),
    }
}
