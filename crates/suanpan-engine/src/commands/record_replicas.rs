//! `RecordReplicas`: how much of each content a site holds. Small progress is not worth a record.

use crate::command::{Caller, Present, RecordReplicas};
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;
use suanpan_model::id::ClusterId;

/// A transfer is recorded in so many steps.
const STEPS: u64 = 16;

pub(crate) fn decide(
    state: &State,
    caller: &Caller,
    record: &RecordReplicas,
) -> Result<Vec<Event>, Rejection> {
    let site = match caller {
        Caller::Agent(cluster) => {
            let known = state.clusters.get(cluster).filter(|known| known.is_member());
            known.ok_or(Rejection::WrongAgent)?.site().to_owned()
        }
        // The control plane speaks for its own place.
        Caller::System => record.site.clone().ok_or(Rejection::WrongAgent)?,
        Caller::User(_) | Caller::Invited => return Err(Rejection::WrongAgent),
    };
    let news = record.present.iter().filter_map(|present| {
        let content = state.datasets.content(present.manifest)?;
        let size = content.size.bytes;
        let bytes = present.bytes.min(size);
        let known = content.replicas.get(&site).map(|replica| replica.present);
        let is_news = match known {
            None => bytes == size || bytes > size / STEPS,
            Some(known) => {
                bytes < known || (bytes > known && (bytes == size || bytes - known > size / STEPS))
            }
        };
        is_news.then_some(Present { manifest: present.manifest, bytes })
    });
    let present: Vec<Present> = news.collect();
    if present.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![Event::ReplicasRecorded { site, present, stored: record.stored }])
}

/// What is recorded when `cluster` leaves its site: without another member there, nothing that the
/// site held can be counted on. It would be, as the last complete replica, and others let go.
pub(crate) fn left_behind(state: &State, cluster: ClusterId) -> Option<Event> {
    let site = state.clusters.get(&cluster)?.site();
    let mut others = state.clusters.iter().filter(|(id, _)| **id != cluster);
    if others.any(|(_, other)| other.is_member() && other.site() == site) {
        return None;
    }
    let contents = state.datasets.contents();
    let held = contents.filter(|(_, content)| content.replicas.contains_key(site));
    let present: Vec<Present> = held.map(|(manifest, _)| Present { manifest, bytes: 0 }).collect();
    let site = site.to_owned();
    (!present.is_empty()).then_some(Event::ReplicasRecorded { site, present, stored: Some(0) })
}
