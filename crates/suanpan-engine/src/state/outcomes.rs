//! Terminal states of finished jobs, kept for dependencies and for saying "already ended".

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use suanpan_model::array::ArraySpec;
use suanpan_model::id::JobId;
use suanpan_model::job::JobState;

/// Terminal state by job id. Neighbouring ids with the same state take one entry, so that a
/// million completed jobs cost a few bytes. An array's tasks each have an id of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// First id of a run to its last id and state.
    runs: BTreeMap<u64, (u64, JobState)>,
    /// Array jobs: base id to their index lists.
    arrays: BTreeMap<u64, ArraySpec>,
}

/// How the tasks of one job ended, taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Together {
    /// All completed.
    Completed,
    /// At least one did not.
    NotCompleted,
    /// At least one is not over (or was never known).
    Unfinished,
}

impl Outcomes {
    /// Records that a job or task ended.
    ///
    /// # Panics
    /// If it was recorded before: a task ends once.
    pub fn insert(&mut self, id: JobId, state: JobState) {
        assert!(self.state_of(id).is_none(), "job {id} ends once");
        let mut first = id.0;
        let mut last = id.0;
        if let Some((&start, &(end, before))) = self.runs.range(..id.0).next_back()
            && before == state
            && end + 1 == id.0
        {
            first = start;
        }
        if let Some(&(end, after)) = self.runs.get(&(id.0 + 1))
            && after == state
        {
            self.runs.remove(&(id.0 + 1));
            last = end;
        }
        self.runs.insert(first, (last, state));
    }

    /// Remembers the index list of an array.
    pub fn insert_array(&mut self, base: JobId, array: ArraySpec) {
        self.arrays.insert(base.0, array);
    }

    /// Terminal state of one job or task, if it ended.
    #[must_use]
    pub fn state_of(&self, id: JobId) -> Option<JobState> {
        let (_, &(end, state)) = self.runs.range(..=id.0).next_back()?;
        (id.0 <= end).then_some(state)
    }

    /// The index list of a finished array.
    #[must_use]
    pub fn array(&self, base: JobId) -> Option<&ArraySpec> {
        self.arrays.get(&base.0)
    }

    /// How one task of a finished array ended.
    #[must_use]
    pub fn state_of_index(&self, base: JobId, index: u32) -> Option<JobState> {
        let position = self.array(base)?.position(index)?;
        self.state_of(JobId(base.0 + position))
    }

    /// How the ids from `base` on ended, `count` of them, taken together.
    #[must_use]
    pub fn together(&self, base: JobId, count: u64) -> Together {
        let mut next = base.0;
        let end = base.0 + count;
        let mut verdict = Together::Completed;
        while next < end {
            match self.runs.range(..=next).next_back() {
                Some((_, &(last, state))) if last >= next => {
                    if state != JobState::Completed {
                        verdict = Together::NotCompleted;
                    }
                    next = last + 1;
                }
                _ => return Together::Unfinished,
            }
        }
        verdict
    }

    /// Number of entries, for memory accounting.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.runs.len() + self.arrays.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Runs answer as a plain map would, whatever the order of insertion.
        #[test]
        fn runs_are_a_map(order in Just((0u64..300).collect::<Vec<_>>()).prop_shuffle(), flips in any::<u64>()) {
            let state = |id: u64| {
                if (flips >> (id / 7 % 64)) & 1 == 0 { JobState::Completed } else { JobState::Failed }
            };
            let mut outcomes = Outcomes::default();
            for (step, id) in order.iter().enumerate() {
                outcomes.insert(JobId(*id), state(*id));
                if step % 50 == 0 {
                    for other in &order[..=step] {
                        prop_assert_eq!(outcomes.state_of(JobId(*other)), Some(state(*other)));
                    }
                }
            }
            prop_assert!(outcomes.entries() <= 44);
            prop_assert_eq!(outcomes.together(JobId(299), 2), Together::Unfinished);
        }
    }
}
