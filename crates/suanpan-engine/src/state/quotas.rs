//! Quotas of projects, and what live allocations hold of them.

use super::{Allocation, Job, State};
use std::sync::Arc;
use suanpan_model::id::{AllocationId, JobId};
use suanpan_model::time::Timestamp;
use suanpan_sched::quota::book::{Book, Held};
use suanpan_sched::quota::policy::QuotaPolicy;
use suanpan_sched::quota::preemption::{Workload, may_stop};
use suanpan_sched::snapshot::Change;

impl State {
    /// The quotas with what is held of them; `None` where nothing is limited.
    #[must_use]
    pub fn quotas(&self) -> Option<&Book> {
        self.derived.book.as_deref()
    }

    pub(super) fn quotas_set(&mut self, policy: Option<Arc<QuotaPolicy>>) {
        self.quotas.clone_from(&policy);
        self.count_quotas();
        self.emit(|| Change::Quotas(policy));
        let running: Vec<AllocationId> = self.allocations.keys().copied().collect();
        running.into_iter().for_each(|id| self.publish_running(id));
        let jobs: Vec<JobId> = self.jobs.keys().copied().collect();
        for id in jobs {
            self.jobs.get_mut(&id).expect("the id was just listed").took_back_at = None;
            self.publish_pending(id);
        }
    }

    /// Something is stopped for a job.
    pub(super) fn took_back(&mut self, at: Timestamp, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id).filter(|_| self.quotas.is_some()) else { return };
        if job.took_back_at.replace(at).is_none() {
            self.publish_pending(id);
        }
    }

    /// Counts what all live allocations hold: O(members * cells + allocations).
    pub(super) fn count_quotas(&mut self) {
        self.derived.book = None;
        let Some(policy) = &self.quotas else { return };
        let mut book = Box::new(Book::new(Arc::clone(policy)));
        for allocation in self.allocations.values() {
            if let Some(held) = self.held_in(&book, allocation) {
                book.hold(&held);
            }
        }
        self.derived.book = Some(book);
    }

    /// What an allocation holds of its project's quota; `None` if nothing of it is limited.
    pub(crate) fn held(&self, allocation: &Allocation) -> Option<Held> {
        self.held_in(self.quotas()?, allocation)
    }

    fn held_in(&self, book: &Book, allocation: &Allocation) -> Option<Held> {
        let placed = &allocation.placed;
        let job = self.jobs.get(&placed.job)?;
        let flavor = book.flavor(&placed.flavor)?;
        Some(Held {
            queue: book.queue_of(&job.spec.project),
            amounts: book.amounts(flavor, &placed.per_node, placed.node_names.len()),
            priority: self.rank(job),
            queued: job.submitted,
            admitted: allocation.placed_at,
        })
    }

    /// Counts that an allocation holds its part.
    pub(super) fn hold(&mut self, id: AllocationId) {
        let held = self.held(&self.allocations[&id]);
        if let (Some(book), Some(held)) = (&mut self.derived.book, held) {
            book.hold(&held);
        }
    }

    /// Counts that it no longer does; its job is still live.
    pub(super) fn release_held(&mut self, allocation: &Allocation) {
        let held = self.held(allocation);
        if let (Some(book), Some(held)) = (&mut self.derived.book, held) {
            book.release(&held);
        }
    }

    /// Whether an allocation may be stopped for a job because of what it holds of the quotas: on
    /// its flavor the job lacks what the rules of its project let it take back.
    pub(crate) fn may_take_back(&self, job: &Job, live: &Allocation) -> bool {
        let Some(book) = self.quotas() else { return false };
        let (Some(held), Some(flavor)) = (self.held(live), book.flavor(&live.placed.flavor)) else {
            return false;
        };
        let shape = &job.spec.shape;
        let queue = book.queue_of(&job.spec.project);
        // Of a job that takes nodes whole this is the least it could ask.
        let amounts = book.amounts(flavor, &shape.per_node, shape.nodes as usize);
        let incoming = Workload {
            id: job.id.0,
            queue,
            priority: self.rank(job),
            amounts,
            queued: job.submitted,
            admitted: self.at,
        };
        let holder = Workload {
            id: live.placed.id.0,
            queue: held.queue,
            priority: held.priority,
            amounts: held.amounts,
            queued: held.queued,
            admitted: held.admitted,
        };
        may_stop(&book.quotas, book.rules(queue), &incoming, &holder)
    }
}
