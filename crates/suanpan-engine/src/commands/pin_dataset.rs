//! `PinDataset`: a site keeps a version until told otherwise, or no longer.

use crate::command::{Caller, PinDataset};
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::{Pin, State};

pub(crate) fn decide(
    state: &State,
    caller: &Caller,
    asked: &PinDataset,
) -> Result<Vec<Event>, Rejection> {
    // Which users may is decided by the server.
    if matches!(caller, Caller::Agent(_)) {
        return Err(Rejection::WrongAgent);
    }
    let id = asked.dataset;
    let one = state.datasets.get(id).ok_or(Rejection::UnknownDataset(id))?;
    let is_pinned = one.pins.contains(&asked.site);
    match (asked.pin, is_pinned) {
        (Pin::Set, true) => return Ok(Vec::new()),
        (Pin::Set, false) if !state.clusters.values().any(|other| other.site() == asked.site) => {
            return Err(Rejection::UnknownSite(asked.site.clone()));
        }
        (Pin::Lifted, false) => {
            let (dataset, site) = (one.to_string(), asked.site.clone());
            return Err(Rejection::NotPinned { dataset, site });
        }
        (Pin::Set, false) | (Pin::Lifted, true) => {}
    }
    Ok(vec![Event::DatasetPinned { dataset: id, site: asked.site.clone(), pin: asked.pin }])
}
