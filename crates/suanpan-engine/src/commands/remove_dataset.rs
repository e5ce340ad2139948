//! `RemoveDataset`: one version goes; the others of its name stay.

use crate::command::Caller;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;
use suanpan_model::id::DatasetId;

pub(crate) fn decide(
    state: &State,
    caller: &Caller,
    id: DatasetId,
) -> Result<Vec<Event>, Rejection> {
    let one = state.datasets.get(id).ok_or(Rejection::UnknownDataset(id))?;
    match caller {
        Caller::User(user) if *user != one.owner => {
            let (name, owner) = (one.name.clone(), one.owner.clone());
            return Err(Rejection::NotDatasetOwner { name, owner });
        }
        Caller::User(_) | Caller::System => {}
        Caller::Agent(_) | Caller::Invited => return Err(Rejection::WrongAgent),
    }
    if let Some(job) = state.readers_of(id).next() {
        return Err(Rejection::DatasetInUse { dataset: one.to_string(), job });
    }
    Ok(vec![Event::DatasetRemoved { dataset: id }])
}
