//! `SetQuotas`: what projects may use at the most. What runs already goes on, also where it is more
//! than the new quotas permit.

use crate::command::Caller;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;
use std::sync::Arc;
use suanpan_sched::quota::policy::QuotaPolicy;

pub(crate) fn decide(
    state: &State,
    caller: &Caller,
    policy: Option<&Arc<QuotaPolicy>>,
) -> Result<Vec<Event>, Rejection> {
    // Which users may is decided by the server.
    if matches!(caller, Caller::Agent(_)) {
        return Err(Rejection::WrongAgent);
    }
    if let Some(policy) = policy {
        policy.check().map_err(Rejection::InvalidQuotas)?;
    }
    if state.quotas.as_ref() == policy {
        return Ok(Vec::new());
    }
    Ok(vec![Event::QuotasSet { policy: policy.cloned() }])
}
