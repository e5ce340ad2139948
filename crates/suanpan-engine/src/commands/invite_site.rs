//! `InviteSite`: a cluster's owner may join it with a token that works once, for a time. Asked
//! again it makes the earlier token void; a cluster that takes part is revoked first.

use crate::command::InviteSite;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;
use suanpan_model::id::ClusterId;
use suanpan_model::time::Timestamp;

pub(crate) fn decide(
    state: &State,
    at: Timestamp,
    invite: &InviteSite,
) -> Result<Vec<Event>, Rejection> {
    let known = state.clusters().find(|(_, cluster)| cluster.name == invite.cluster);
    let cluster = match known {
        Some((_, cluster)) if cluster.is_member() => {
            return Err(Rejection::AlreadyMember(invite.cluster.clone()));
        }
        Some((id, _)) => id,
        None => ClusterId(state.next.cluster),
    };
    Ok(vec![Event::SiteInvited {
        cluster,
        name: invite.cluster.clone(),
        invitation: invite.token,
        expires: at.plus(invite.valid),
    }])
}
