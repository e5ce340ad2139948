//! `RecordEstimates`: what is believed of some links between sites changed. Whether a change is
//! large and lasting enough to be told is decided before, by `suanpan_sched::link`.

use crate::command::{Caller, LinkChange};
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;

pub(crate) fn decide(
    state: &State,
    caller: &Caller,
    links: &[LinkChange],
) -> Result<Vec<Event>, Rejection> {
    if *caller != Caller::System {
        return Err(Rejection::SystemOnly);
    }
    let is_news = |link: &&LinkChange| {
        link.from != link.to && state.link(&link.from, &link.to) != link.estimate.as_ref()
    };
    let links: Vec<LinkChange> = links.iter().filter(is_news).cloned().collect();
    match links.is_empty() {
        true => Ok(Vec::new()),
        false => Ok(vec![Event::EstimatesRecorded { links }]),
    }
}
