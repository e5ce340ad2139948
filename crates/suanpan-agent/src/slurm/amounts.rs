//! What our jobs take of each node, so that the rest is what others use.
//!
//! A job of ours may be over here while Slurm still counts it, or was when Slurm was asked: what it
//! took is known for a while after its end, and belongs to the answer it was asked for.

use super::desk::Machines;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};
use suanpan_model::id::AllocationId;
use suanpan_model::tres::Tres;

/// What Slurm holds for longer after a job's end is not free, whoever had it.
const KNOWN: Duration = Duration::from_secs(30);

/// Amounts on one node by allocation.
#[derive(Debug, Default)]
pub(super) struct Amounts {
    /// What ended, the oldest first.
    ended: VecDeque<(Instant, AllocationId, Tres)>,
    there: BTreeMap<AllocationId, Tres>,
}

impl Amounts {
    /// Takes in that a job ended.
    pub(super) fn ended(&mut self, id: AllocationId, amount: Tres, now: Instant) {
        self.forget(now);
        self.ended.push_back((now, id, amount));
    }

    fn forget(&mut self, now: Instant) {
        let old = |at: Instant| now.saturating_duration_since(at) >= KNOWN;
        while self.ended.front().is_some_and(|(at, ..)| old(*at)) {
            self.ended.pop_front();
        }
    }

    /// Takes in what Slurm answered now: of these jobs is known what they take for as long as the
    /// answer is used.
    pub(super) fn answered(
        &mut self,
        machines: &Machines,
        live: impl Iterator<Item = (AllocationId, Tres)>,
        now: Instant,
    ) {
        self.forget(now);
        let ended = self.ended.iter().map(|&(_, id, amount)| (id, amount));
        let mut all: BTreeMap<_, _> = ended.collect();
        all.extend(live);
        let there = machines.ours.keys().map(|mark| mark.allocation);
        self.there = there.filter_map(|id| Some((id, *all.get(&id)?))).collect();
    }

    /// What those take that were there when Slurm last answered.
    pub(super) fn there(&self) -> &BTreeMap<AllocationId, Tres> {
        &self.there
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slurm::mark::Mark;
    use suanpan_model::id::Generation;

    #[test]
    fn what_ended_a_moment_ago_is_not_taken_for_somebody_elses() {
        let start = Instant::now();
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        let amount = |cpus: u32| Tres { cpus, ..Tres::default() };
        let mark = |id: u64| Mark {
            network: "abcd".into(),
            allocation: AllocationId(id),
            generation: Generation(1),
        };
        let machines = |ids: &[u64]| {
            let ours = ids.iter().map(|id| (mark(*id), "n1".to_owned())).collect();
            Machines { ours, ..Machines::default() }
        };
        let live = [(AllocationId(3), amount(3))].into_iter();
        let mut amounts = Amounts::default();
        amounts.ended(AllocationId(1), amount(1), after(0));
        amounts.ended(AllocationId(2), amount(2), after(20));
        amounts.answered(&machines(&[1, 2, 3]), live, after(21));
        let known = |amounts: &Amounts| amounts.there().keys().map(|id| id.0).collect::<Vec<_>>();
        assert_eq!(known(&amounts), [1, 2, 3]);
        amounts.ended(AllocationId(3), amount(3), after(40));
        assert_eq!(known(&amounts), [1, 2, 3], "as long as the answer is used");
        amounts.answered(&machines(&[1, 2, 3]), std::iter::empty(), after(41));
        assert_eq!(known(&amounts), [2, 3], "what Slurm holds for long is not free");
        amounts.answered(&machines(&[]), std::iter::empty(), after(41));
        assert_eq!(known(&amounts), [0; 0]);
    }
}
