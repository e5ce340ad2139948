//! `RegisterDataset`: data gets a name and a version.

use crate::command::{Caller, RegisterDataset};
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::{Dataset, Lineage, State};
use std::collections::BTreeSet;
use suanpan_model::id::{AllocationId, ClusterId, JobId};
use suanpan_model::time::Timestamp;

pub(crate) fn decide(
    state: &State,
    at: Timestamp,
    caller: &Caller,
    register: &RegisterDataset,
) -> Result<Vec<Event>, Rejection> {
    let known = state.datasets.same(&register.name, register.manifest);
    let made = match (caller, register.made_by) {
        (Caller::User(user), None) => (user.clone(), register.project.clone(), None),
        (Caller::Agent(cluster), Some(allocation)) => {
            // What an attempt made is known once it was said, even after the attempt is over.
            let said = known.and_then(|one| one.lineage.as_ref());
            if said.is_some_and(|lineage| lineage.allocation == allocation) {
                return Ok(Vec::new());
            }
            made_by(state, *cluster, allocation)?
        }
        _ => return Err(Rejection::WrongAgent),
    };
    let (owner, project, lineage) = made;
    let newest = state.datasets.find(&register.name, None);
    if let Some(other) = newest.filter(|one| one.owner != owner) {
        let (name, owner) = (register.name.clone(), other.owner.clone());
        return Err(Rejection::NotDatasetOwner { name, owner });
    }
    if known.is_some() {
        return Ok(Vec::new());
    }
    let (id, version) = state.datasets.next(&register.name);
    let dataset = Dataset {
        id,
        name: register.name.clone(),
        version,
        manifest: register.manifest,
        owner,
        project,
        registered: at,
        lineage,
        pins: BTreeSet::new(),
    };
    Ok(vec![Event::DatasetRegistered { dataset: Box::new(dataset), size: register.size }])
}

/// Owner, project and lineage of what a live attempt at a cluster makes.
fn made_by(
    state: &State,
    cluster: ClusterId,
    id: AllocationId,
) -> Result<(String, String, Option<Lineage>), Rejection> {
    let live = state.allocations.get(&id).filter(|live| live.placed.cluster == cluster);
    let live = live.ok_or(Rejection::UnknownAllocation(id))?;
    let job = &state.jobs[&live.placed.job];
    let position = live.placed.index.and_then(|index| job.position_of(index)).unwrap_or(0);
    let inputs = job.spec.shape.inputs.iter().filter_map(|input| input.dataset);
    let inputs = inputs.filter_map(|input| state.datasets.get(input)).map(Dataset::to_string);
    let lineage = Lineage {
        job: JobId(job.id.0 + u64::from(position)),
        allocation: id,
        launch: job.spec.launch,
        inputs: inputs.collect(),
    };
    Ok((job.spec.user.clone(), job.spec.project.clone(), Some(lineage)))
}
