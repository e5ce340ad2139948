//! `RecordReplicas`: how much of each content a site holds. Small progress is not worth a record.

use crate::command::{Caller, Present, RecordReplicas};
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;

/// A transfer is recorded in so many steps.
const STEPS: u64 = 16;

pub(crate) fn decide(
    state: &State,
    caller: &Caller,
    record: &RecordReplicas,
) -> Result<Vec<Event>, Rejection> {
    let site = match caller {
        Caller::Agent(cluster) => {
            state.clusters.get(cluster).ok_or(Rejection::WrongAgent)?.site().to_owned()
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
