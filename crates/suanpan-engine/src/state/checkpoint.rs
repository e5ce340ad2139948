//! State saved so that older journal need not be folded again.

use super::State;
use std::sync::Arc;
use suanpan_model::id::{AllocationId, JobId};

/// Version of the checkpoint's form. A checkpoint of another version is not read; the journal is
/// folded instead.
pub const FORMAT: u32 = 1;

/// Why a checkpoint cannot be read. The journal is folded from the start instead.
#[derive(Debug)]
pub struct CheckpointError(serde_json::Error);

impl std::fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the checkpoint does not have the expected form")
    }
}

impl std::error::Error for CheckpointError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl State {
    /// Version of the checkpoint's form this code writes and reads.
    pub const CHECKPOINT_FORMAT: u32 = FORMAT;

    /// The whole state as bytes (JSON).
    #[must_use]
    pub fn encode_checkpoint(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("state is plain data")
    }

    /// Reads a state back and recomputes what is derived.
    ///
    /// # Errors
    /// If the bytes do not have the expected form.
    pub fn decode_checkpoint(bytes: &[u8]) -> Result<State, CheckpointError> {
        let mut state: State = serde_json::from_slice(bytes).map_err(CheckpointError)?;
        state.derive_all();
        Ok(state)
    }

    /// Recomputes every derived field.
    pub(super) fn derive_all(&mut self) {
        for (id, cluster) in &mut self.clusters {
            if let Some(inventory) = &cluster.inventory {
                self.derived.catalog.set(*id, Arc::clone(inventory));
            }
            cluster.clear_used();
            cluster.allocations.clear();
        }
        let links = self.links();
        self.derived.catalog.set_links(&links);
        self.count_machine();
        let live: Vec<AllocationId> = self.allocations.keys().copied().collect();
        for id in live {
            if let (None, Some((_, stop_at))) =
                (self.allocations[&id].stopping, self.allocations[&id].preempted)
            {
                self.derived.graces.insert((stop_at, id));
            }
            let placed = &self.allocations[&id].placed;
            let cluster = self.clusters.get_mut(&placed.cluster).expect("clusters stay");
            cluster.allocations.insert(id);
            for node in &placed.nodes {
                cluster.take(*node, &placed.per_node);
            }
        }
        let jobs: Vec<JobId> = self.jobs.keys().copied().collect();
        for id in &jobs {
            let job = self.jobs.get_mut(id).expect("the id was just listed");
            if let Some((shared, _)) = self.derived.shapes.get_key_value(&job.spec.shape) {
                job.spec.shape = Arc::clone(shared);
            }
            let job = self.jobs.remove(id).expect("the id was just listed");
            self.index_job(&job);
            self.jobs.insert(*id, job);
        }
        self.datasets.index();
        self.count_quotas();
        jobs.into_iter().for_each(|id| self.refresh_gate(id));
    }
}
