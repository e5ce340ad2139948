//! Invariants of the whole state, recomputed from scratch.

use super::{Standing, State, Tasks};
use std::collections::BTreeSet;
use suanpan_model::id::AllocationId;

impl State {
    /// Recomputes every derived count and balance.
    ///
    /// # Panics
    /// With the broken invariant in words.
    pub fn check(&self) {
        self.ledger.check();
        self.check_derived();
        self.check_tasks();
        self.check_allocations();
        self.check_closures();
        self.check_standing();
        self.check_priorities();
        self.check_datasets();
    }

    fn check_priorities(&self) {
        if self.priorities.policy.is_none() {
            assert!(self.priorities.is_unused(), "without a policy nothing is counted");
            let ordered = self.jobs.values().all(|job| job.priority == 0);
            assert!(ordered, "without a policy jobs go by submission");
        }
    }

    fn check_closures(&self) {
        for (id, cluster) in &self.clusters {
            for (key, closed) in &cluster.closures {
                assert_eq!(*key, closed.closure.id, "a closure of {id} stands under its number");
                assert!(!closed.closure.nodes.is_empty(), "a closure of {id} closes something");
                assert!(key.0 < self.next.closure, "closure numbers are never reused");
            }
        }
    }

    fn check_standing(&self) {
        for (id, cluster) in &self.clusters {
            let joined = matches!(cluster.standing, Standing::Joined | Standing::Member);
            assert_eq!(cluster.token.is_some(), joined, "who joined has a token ({id})");
            if cluster.standing == Standing::Invited {
                assert!(cluster.invitation.is_some(), "{id} is invited by a token");
            }
            if !cluster.is_member() {
                assert!(cluster.allocations.is_empty(), "{id} runs nothing as it takes no part");
            }
        }
    }

    fn check_derived(&self) {
        let mut fresh = self.clone();
        fresh.derived = super::Derived::default();
        fresh.derive_all();
        for (id, cluster) in &self.clusters {
            let other = &fresh.clusters[id];
            assert_eq!(cluster.free, other.free, "free resources of cluster {id} add up");
            assert_eq!(cluster.allocations, other.allocations, "allocations of {id} are indexed");
        }
        for (id, job) in &self.jobs {
            assert_eq!(job.gate, fresh.jobs[id].gate, "the gate of job {id} is up to date");
        }
        let (mine, other) = (&self.derived, &fresh.derived);
        assert_eq!(mine.shapes, other.shapes, "shapes are counted");
        assert_eq!(mine.dependents, other.dependents, "waiting jobs are indexed");
        assert_eq!(mine.by_name, other.by_name, "names are indexed");
        assert_eq!(mine.deadlines, other.deadlines, "deadlines are indexed");
        assert_eq!(mine.doomed, other.doomed, "doomed jobs are indexed");
        assert_eq!(mine.graces, other.graces, "graces are indexed");
        assert_eq!(mine.machine, other.machine, "nodes are counted");
        assert_eq!(mine.refused, other.refused, "refused jobs are indexed");
        assert_eq!(mine.readers, other.readers, "readers of datasets are indexed");
        assert_eq!(mine.book, other.book, "what is held of quotas adds up");
    }

    fn check_tasks(&self) {
        let mut placed: BTreeSet<AllocationId> = BTreeSet::new();
        for (id, job) in &self.jobs {
            for (position, allocation) in job.tasks.placed() {
                assert!(placed.insert(allocation), "allocation {allocation} is of one task");
                let live = self.allocations.get(&allocation).expect("placed tasks are allocated");
                assert_eq!(live.placed.job, *id, "allocation {allocation} knows its job");
                let index = job.index_at(position);
                assert_eq!(live.placed.index, index, "allocation {allocation} knows its task");
            }
            let Tasks::Array(array) = &job.tasks else { continue };
            let ended: u64 = array.ended.values().map(|set| set.count()).sum();
            let sum = array.pending.count() + array.placed.len() as u64 + ended;
            assert_eq!(sum, u64::from(array.count), "every task of job {id} is somewhere once");
        }
        assert_eq!(placed.len(), self.allocations.len(), "every allocation is of a live task");
    }

    fn check_allocations(&self) {
        assert_eq!(
            self.ledger.pending_count(),
            self.allocations.len(),
            "every live allocation has one pending transfer"
        );
        for (id, allocation) in &self.allocations {
            let transfer = self.ledger.pending(allocation.placed.transfer);
            let amount = transfer.expect("the transfer of a live allocation is pending").amount;
            assert_eq!(
                amount, allocation.placed.prediction.cost,
                "the transfer of allocation {id} is the most it may cost"
            );
            assert!(id.0 < self.next.allocation, "allocation ids are never reused");
        }
    }
}
