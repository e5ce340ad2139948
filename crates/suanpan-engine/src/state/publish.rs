//! What follows from a change: indexes, gates of waiting jobs, and the deltas for the scheduler
//! and the order hub.

use super::{Allocation, Gate, Job, State, datasets};
use crate::event::Event;
use std::sync::Arc;
use suanpan_model::id::{AllocationId, ClusterId, Generation, JobId};
use suanpan_model::job::{OnInvalidDependency, Shape};
use suanpan_model::site::Inventory;
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_sched::quota::MemberId;
use suanpan_sched::snapshot::{Change, Ending, GOES_FIRST, Pending, Running, Snapshot};
use suanpan_sched::waits::Waits;
use suanpan_site::order::StopReason;

impl State {
    /// Turns collecting of scheduler changes and touched orders on or off (off in recovery).
    pub fn emit_changes(&mut self, on: bool) {
        self.derived.emit = on;
    }

    /// Scheduler changes since the last call.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.derived.changes)
    }

    /// Allocations whose order changed or went since the last call.
    pub fn take_touched(&mut self) -> Vec<(ClusterId, AllocationId)> {
        std::mem::take(&mut self.derived.touched)
    }

    /// The scheduler's view, made from nothing; equal to the fold of all changes.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        if let Some(policy) = &self.quotas {
            snapshot.apply(Change::Quotas(Some(Arc::clone(policy))));
        }
        for (id, cluster) in &self.clusters {
            let Some(inventory) = &cluster.inventory else { continue };
            snapshot.apply(Change::Inventory(*id, Arc::clone(inventory)));
            snapshot.apply(Change::Contact(*id, cluster.contact.0));
            let known = self.waits.get(id).and_then(Waits::known);
            snapshot.apply(Change::Waits(*id, known));
            for closed in cluster.closures.values() {
                snapshot.apply(Change::Closed(*id, closed.closure.clone()));
            }
        }
        if !self.links.is_empty() {
            snapshot.apply(Change::Links(self.links()));
        }
        for (program, speeds) in self.programs.known() {
            snapshot.apply(Change::Learnt(Arc::new(program.clone()), Some(speeds)));
        }
        self.dataset_views().for_each(|change| snapshot.apply(change));
        self.allocations.values().for_each(|allocation| snapshot.apply(self.took(allocation)));
        for job in self.jobs.values() {
            if let Some(pending) = self.as_pending(job) {
                snapshot.apply(Change::Pending(pending));
            }
        }
        snapshot
    }

    /// Whose quota a job would use; `None` where there are no quotas.
    pub(crate) fn queue(&self, job: &Job) -> Option<MemberId> {
        self.quotas().map(|book| book.queue_of(&job.spec.project))
    }

    /// What a job is ordered by. Jobs that may stop others come before all that may not, as in
    /// Slurm, by their QOS: what they stop does not start again in their place.
    pub(super) fn rank(&self, job: &Job) -> i64 {
        let (may_preempt, qos_priority) = self.may_preempt(job);
        let tier = if may_preempt.is_empty() { 0 } else { i64::from(qos_priority) << 32 };
        job.priority.saturating_add(tier)
    }

    /// What the scheduler needs to know of a job, if any task may start.
    fn as_pending(&self, job: &Job) -> Option<Pending> {
        let ready = job.ready_count();
        if ready == 0 || self.missing_input(job).is_some() {
            return None;
        }
        let (may_preempt, qos_priority) = self.may_preempt(job);
        let first = job.took_back_at.map_or(0, |_| GOES_FIRST);
        let not_before = match &job.gate {
            Gate::Open { not_before } if not_before.0 > 0 => Some(*not_before),
            _ => None,
        };
        Some(Pending {
            job: job.id,
            priority: self.rank(job).saturating_add(first),
            submitted: job.submitted,
            shape: self.shape_of(job),
            queue: self.queue(job),
            program: self.program(job),
            begin: job.spec.begin.max(not_before),
            deadline: job.spec.deadline,
            ready,
            refused_by: job.refused_by.clone(),
            may_use: self.may_use(job),
            may_preempt,
            qos_priority,
        })
    }

    /// What the scheduler is told that a job asks: an array that began at a cluster goes there.
    pub(super) fn shape_of(&self, job: &Job) -> Arc<Shape> {
        let Some(home) = job.home.and_then(|home| self.clusters.get(&home)) else {
            return Arc::clone(&job.spec.shape);
        };
        let sites = vec![home.name.clone()];
        Arc::new(Shape { sites, ..(*job.spec.shape).clone() })
    }

    /// Arrays the rest of which goes to a cluster.
    pub(crate) fn bound_arrays(&self, cluster: ClusterId) -> impl Iterator<Item = &Job> {
        self.jobs.values().filter(move |job| job.home == Some(cluster))
    }

    fn took(&self, allocation: &Allocation) -> Change {
        let placed = &allocation.placed;
        let running = Running {
            nodes: placed.nodes.clone(),
            per_node: placed.per_node,
            sharing: placed.sharing,
            ends_by: allocation.ends_by(),
            ending: allocation.ending(),
            preemptible: self.preemptible(allocation),
            began: allocation.started_at.is_some(),
            held: self.held(allocation).map(Box::new),
        };
        Change::Took(placed.cluster, placed.id, running)
    }

    /// Tells the scheduler of an allocation.
    pub(super) fn publish_running(&mut self, id: AllocationId) {
        if self.derived.emit {
            let took = self.took(&self.allocations[&id]);
            self.derived.changes.push(took);
        }
    }

    pub(super) fn emit(&mut self, change: impl FnOnce() -> Change) {
        if self.derived.emit {
            self.derived.changes.push(change());
        }
    }

    pub(super) fn touch(&mut self, id: AllocationId) {
        let cluster = self.allocations[&id].placed.cluster;
        self.touch_gone(cluster, id);
    }

    pub(super) fn touch_gone(&mut self, cluster: ClusterId, id: AllocationId) {
        if self.derived.emit {
            self.derived.touched.push((cluster, id));
        }
    }

    /// Tells the scheduler how much of a job may start now.
    pub(super) fn publish_pending(&mut self, id: JobId) {
        if !self.derived.emit {
            return;
        }
        let change = match self.as_pending(&self.jobs[&id]) {
            Some(pending) => Change::Pending(pending),
            None => Change::NotPending(id),
        };
        self.derived.changes.push(change);
    }

    pub(super) fn refresh_gate(&mut self, id: JobId) {
        let gate = self.gate_of(&self.jobs[&id]);
        self.jobs.get_mut(&id).expect("the job was read a line ago").gate = gate;
        self.index_doomed(id);
    }

    /// Remembers whether something of a job is to be cancelled because it can never start.
    pub(super) fn index_doomed(&mut self, id: JobId) {
        let job = &self.jobs[&id];
        let has_hopeless = match &job.gate {
            Gate::Never => true,
            Gate::PerTask { hopeless, .. } => !hopeless.is_empty(),
            Gate::Open { .. } | Gate::Closed => false,
        };
        if has_hopeless && job.spec.on_invalid_dependency == OnInvalidDependency::Cancel {
            self.derived.doomed.insert(id);
        } else {
            self.derived.doomed.remove(&id);
        }
    }

    /// Judges the gates of all jobs that wait for `id` again.
    pub(super) fn refresh_dependents(&mut self, id: JobId) {
        let Some(waiting) = self.derived.dependents.get(&id) else { return };
        let waiting: Vec<JobId> = waiting.iter().copied().collect();
        for job in waiting {
            self.refresh_gate(job);
            self.publish_pending(job);
        }
    }

    pub(super) fn index_job(&mut self, job: &Job) {
        *self.derived.shapes.entry(Arc::clone(&job.spec.shape)).or_default() += 1;
        for base in self.dependency_bases(job) {
            self.derived.dependents.entry(base).or_default().insert(job.id);
        }
        for input in datasets::inputs_of(job) {
            self.derived.readers.entry(input).or_default().insert(job.id);
        }
        let owner_and_name = (job.spec.user.clone(), job.spec.name.clone());
        self.derived.by_name.entry(owner_and_name).or_default().insert(job.id);
        if let Some(deadline) = job.spec.deadline {
            self.derived.deadlines.insert((deadline, job.id));
        }
        if job.refused_at.is_some() {
            self.derived.refused.insert(job.id);
        }
    }

    pub(super) fn unindex_job(&mut self, job: &Job) {
        let shape = &job.spec.shape;
        let users = self.derived.shapes.get_mut(shape).expect("a live job's shape is counted");
        *users -= 1;
        if *users == 0 {
            self.derived.shapes.remove(shape);
        }
        for base in self.dependency_bases(job) {
            if let Some(waiting) = self.derived.dependents.get_mut(&base) {
                waiting.remove(&job.id);
                if waiting.is_empty() {
                    self.derived.dependents.remove(&base);
                }
            }
        }
        for input in datasets::inputs_of(job) {
            if let Some(readers) = self.derived.readers.get_mut(&input) {
                readers.remove(&job.id);
                if readers.is_empty() {
                    self.derived.readers.remove(&input);
                }
            }
        }
        self.derived.doomed.remove(&job.id);
        self.derived.refused.remove(&job.id);
        if let Some(deadline) = job.spec.deadline {
            self.derived.deadlines.remove(&(deadline, job.id));
        }
        self.unindex_name(job);
    }

    fn unindex_name(&mut self, job: &Job) {
        let owner_and_name = (job.spec.user.clone(), job.spec.name.clone());
        let Some(same) = self.derived.by_name.get_mut(&owner_and_name) else { return };
        let was_first = same.first() == Some(&job.id);
        same.remove(&job.id);
        if same.is_empty() {
            self.derived.by_name.remove(&owner_and_name);
        } else if was_first {
            // The next of the name may be waiting as a singleton.
            let next = *same.first().expect("the set is not empty");
            if self.jobs[&next].spec.dependency.is_some() {
                self.refresh_gate(next);
                self.publish_pending(next);
            }
        }
    }

    /// Base ids of the live jobs a job waits for, whichever of their tasks it names.
    fn dependency_bases(&self, job: &Job) -> Vec<JobId> {
        let Some(dependency) = &job.spec.dependency else { return Vec::new() };
        dependency
            .targets()
            .filter_map(|target| self.job(target.job).map(|other| other.id))
            .collect()
    }
}

impl Allocation {
    /// The event that orders it to stop.
    pub(crate) fn stopping(&self, reason: StopReason, by: Option<JobId>) -> Event {
        let generation = Generation(self.generation.0 + 1);
        Event::AllocationStopping { allocation: self.placed.id, generation, reason, by }
    }

    fn ending(&self) -> Ending {
        match self.stopping.is_some() || self.preempted.is_some() {
            true => Ending::Stopping,
            false => Ending::AtLimit,
        }
    }

    /// When its time limit ends: counted from the start, or until it started from the latest start
    /// that was foretold. What is being stopped should have ended already; what has a grace has
    /// ended by its end.
    pub(super) fn ends_by(&self) -> Timestamp {
        if self.stopping.is_some() {
            return self.placed_at;
        }
        let stop_at = self.preempted.map_or(Timestamp::MAX, |(_, stop_at)| stop_at);
        self.limit_ends().min(stop_at)
    }

    fn limit_ends(&self) -> Timestamp {
        let foretold = &self.placed.prediction;
        let latest = || self.placed_at.max(foretold.start_latest).plus(foretold.stage);
        let from = self.started_at.unwrap_or_else(latest);
        from.plus(Seconds(u64::from(self.placed.time_limit.seconds())))
    }

    /// Finds its nodes in a new inventory by name; nodes that are gone are left out.
    pub(super) fn renumber(&mut self, inventory: &Inventory) {
        let place = |name: &String| inventory.nodes.iter().position(|node| node.name == *name);
        self.placed.nodes = self
            .placed
            .node_names
            .iter()
            .filter_map(place)
            .map(|index| u32::try_from(index).expect("clusters have fewer than 2^32 nodes"))
            .collect();
    }
}
