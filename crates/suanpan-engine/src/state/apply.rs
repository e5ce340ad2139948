//! Folding events. Nothing here judges, and nothing can fail: facts already happened. A panic
//! names an invariant that a bug elsewhere broke.

use super::{Allocation, Closed, Cluster, Invitation, Job, Standing, State, Tasks, keys::Made};
use crate::command::IdempotencyKey;
use crate::event::{Event, PlacedAllocation, SubmittedJob, Then};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use suanpan_ledger::{AccountId, Transfer};
use suanpan_model::id::{AllocationId, ClusterId, Generation, JobId};
use suanpan_model::index_set::IndexSet;
use suanpan_model::job::{ArraySites, Hold, JobState};
use suanpan_model::money::MicroCredits;
use suanpan_model::site::Inventory;
use suanpan_model::time::Timestamp;
use suanpan_sched::snapshot::{Change, Contact};
use suanpan_site::order::StopReason;

impl State {
    /// Folds one fact of a record made at `at`. Cannot fail.
    pub fn apply(&mut self, at: Timestamp, event: &Event) {
        self.at = at;
        match event {
            Event::JobsSubmitted { key, jobs } => self.jobs_submitted(at, *key, jobs),
            Event::JobHeld { job } => self.set_hold(*job, Hold::User),
            Event::JobReleased { job } => self.set_hold(*job, Hold::None),
            Event::PlanCommitted { allocations, .. } => self.plan_committed(at, allocations),
            Event::AllocationStopping { allocation, generation, reason, by } => {
                by.iter().for_each(|job| self.took_back(at, *job));
                self.told_to_stop(*allocation, *generation, *reason);
            }
            Event::AllocationPreempted { allocation, by, stop_at } => {
                self.took_back(at, *by);
                self.preempted(*allocation, *by, *stop_at);
            }
            Event::AllocationStaging { allocation, at } => self.staging(*allocation, *at),
            Event::AllocationStarted { allocation, at } => self.started(*allocation, *at),
            Event::AllocationEnded { allocation, outcome, charge, then, .. } => {
                self.count_usage(at, *allocation, outcome);
                self.learn_speed(*allocation, outcome, *then);
                self.ended(*allocation, Some(*charge), *then);
            }
            Event::AllocationRefused { allocation, .. } => self.refused(at, *allocation),
            Event::ArraysUnbound { cluster } => self.arrays_unbound(*cluster),
            Event::RefusalsForgotten { job } => self.refusals_forgotten(*job),
            Event::TasksEnded { job, positions, state } => {
                self.tasks_ended(*job, positions, *state);
            }
            Event::SiteAdded { cluster, name, token } => {
                self.site_added(at, *cluster, name).token = Some(*token);
            }
            Event::SiteInvited { cluster, name, invitation, expires } => {
                let invitation = Invitation { token: *invitation, expires: *expires };
                self.site_added(at, *cluster, name).invite(invitation);
            }
            Event::SiteJoined { cluster, token } => self.cluster_mut(*cluster).join(*token),
            Event::SiteApproved { cluster } => self.cluster_mut(*cluster).approve(),
            Event::SiteRevoked { cluster } => self.site_revoked(at, *cluster),
            Event::UserAdded { user, token } => self.users.push((*token, user.clone())),
            Event::InventoryRecorded { cluster, inventory } => {
                self.inventory_recorded(*cluster, inventory);
            }
            Event::ContactChanged { cluster, contact } => {
                self.contact_changed(at, *cluster, *contact);
            }
            Event::EstimatesRecorded { links } => self.estimates_recorded(links),
            Event::NodesClosed { cluster, closure, by, users, projects } => {
                let (closure, by) = (closure.clone(), by.clone());
                let (users, projects) = (users.clone(), projects.clone());
                self.nodes_closed(*cluster, Closed { closure, by, users, projects });
            }
            Event::NodesOpened { cluster, closure, nodes } => {
                self.nodes_opened(*cluster, *closure, nodes);
            }
            Event::PrioritiesSet { policy } => self.priorities_set(policy.clone()),
            Event::JobsPrioritized { shares } => self.jobs_prioritized(at, shares),
            Event::QuotasSet { policy } => self.quotas_set(policy.clone()),
            Event::DatasetRegistered { dataset, size } => self.dataset_registered(dataset, *size),
            Event::DatasetRemoved { dataset } => self.dataset_removed(*dataset),
            Event::DatasetPinned { dataset, site, pin } => {
                self.dataset_pinned(*dataset, site, *pin);
            }
            Event::ReplicasRecorded { site, present, stored } => {
                self.replicas_recorded(at, site, present, *stored);
            }
            Event::ReplicasEvicted { site, manifests } => self.replicas_evicted(site, manifests),
            Event::KeysForgotten { before } => self.keys.forget_before(*before),
        }
    }

    fn staging(&mut self, id: AllocationId, at: Timestamp) {
        self.learn_wait(id, at);
        self.allocation_mut(id).staging_at = Some(at);
    }

    fn contact_changed(&mut self, at: Timestamp, id: ClusterId, contact: Contact) {
        self.cluster_mut(id).contact = (contact, at);
        self.emit(|| Change::Contact(id, contact));
    }

    fn told_to_stop(&mut self, id: AllocationId, generation: Generation, reason: StopReason) {
        let live = self.allocation_mut(id);
        live.generation = generation;
        live.stopping = Some(reason);
        self.end_grace(id);
        self.touch(id);
        self.publish_running(id);
    }

    fn arrays_unbound(&mut self, cluster: ClusterId) {
        let bound = self.bound_arrays(cluster).map(|job| job.id);
        for id in bound.collect::<Vec<_>>() {
            self.job_mut(id).home = None;
            self.publish_pending(id);
        }
    }

    fn refusals_forgotten(&mut self, id: JobId) {
        let live = self.job_mut(id);
        live.refused_by.clear();
        live.refused_at = None;
        self.derived.refused.remove(&id);
        self.publish_pending(id);
    }

    /// The cluster of this id, made if it is new.
    fn site_added(&mut self, at: Timestamp, id: ClusterId, name: &str) -> &mut Cluster {
        self.next.cluster = self.next.cluster.max(id.0 + 1);
        self.clusters.entry(id).or_insert_with(|| Cluster {
            name: name.to_owned(),
            token: None,
            standing: Standing::Member,
            invitation: None,
            inventory: None,
            contact: (Contact::Silent, at),
            closures: BTreeMap::new(),
            free: Vec::new(),
            used: Vec::new(),
            allocations: BTreeSet::new(),
        })
    }

    /// Nothing can be placed there: it is silent and has no nodes any more.
    fn site_revoked(&mut self, at: Timestamp, id: ClusterId) {
        let known = self.cluster_mut(id);
        (known.token, known.standing, known.invitation) = (None, Standing::Revoked, None);
        known.contact = (Contact::Silent, at);
        if let Some(inventory) = known.inventory.clone() {
            self.emit(|| Change::Contact(id, Contact::Silent));
            self.inventory_recorded(id, &Arc::new(inventory.without_nodes()));
        }
    }

    fn jobs_submitted(&mut self, at: Timestamp, key: IdempotencyKey, jobs: &[SubmittedJob]) {
        if let Some(first) = jobs.first() {
            let count = u32::try_from(jobs.len()).expect("bulk submissions are bounded");
            self.keys.insert(at, key, Made { body: key.body, first: first.id, count });
        }
        jobs.iter().for_each(|job| self.job_submitted(at, job));
    }

    fn job_submitted(&mut self, at: Timestamp, submitted: &SubmittedJob) {
        let mut spec = submitted.spec.clone();
        if let Some((shared, _)) = self.derived.shapes.get_key_value(&spec.shape) {
            spec.shape = Arc::clone(shared);
        }
        let tasks = Tasks::new(&spec);
        self.next.job = self.next.job.max(submitted.id.0 + tasks.id_count());
        let mut job = Job {
            id: submitted.id,
            submitted: at,
            spec,
            first_started: None,
            tasks,
            refused_by: Vec::new(),
            refused_at: None,
            home: None,
            took_back_at: None,
            priority: 0,
            gate: super::Gate::Closed,
        };
        job.priority = self.priority_of(at, &job);
        self.index_job(&job);
        self.jobs.insert(job.id, job);
        self.refresh_gate(submitted.id);
        self.publish_pending(submitted.id);
    }

    fn set_hold(&mut self, id: JobId, hold: Hold) {
        self.job_mut(id).spec.hold = hold;
        self.publish_pending(id);
    }

    fn plan_committed(&mut self, at: Timestamp, allocations: &[PlacedAllocation]) {
        let mut jobs = BTreeSet::new();
        for placed in allocations {
            self.place(at, placed);
            jobs.insert(placed.job);
        }
        jobs.into_iter().for_each(|job| self.publish_pending(job));
    }

    fn place(&mut self, at: Timestamp, placed: &PlacedAllocation) {
        self.next.allocation = self.next.allocation.max(placed.id.0 + 1);
        self.next.transfer = self.next.transfer.max(placed.transfer.0 + 1);
        let job = self.jobs.get_mut(&placed.job).expect("only live jobs are placed");
        let position = placed.index.and_then(|index| job.position_of(index));
        let restarts = job.tasks.restarts(position.unwrap_or(0));
        job.take_pending(position, placed.id);
        if position.is_some() && job.spec.array_sites == ArraySites::One {
            job.home = Some(placed.cluster);
        }
        job.took_back_at = None;
        let project = job.spec.project.clone();
        let cluster = self.clusters.get_mut(&placed.cluster).expect("placed on a known cluster");
        cluster.allocations.insert(placed.id);
        for node in &placed.nodes {
            cluster.take(*node, &placed.per_node);
        }
        let transfer = Transfer {
            debit: AccountId::Project(project),
            credit: AccountId::Cluster(cluster.name.clone()),
            amount: placed.prediction.cost,
        };
        self.ledger.begin(placed.transfer, transfer);
        let allocation = Allocation {
            placed: placed.clone(),
            placed_at: at,
            generation: Generation(1),
            restarts,
            staging_at: None,
            started_at: None,
            stopping: None,
            preempted: None,
        };
        self.allocations.insert(placed.id, allocation);
        self.inputs_used(at, placed.job, placed.cluster);
        self.hold(placed.id);
        self.publish_running(placed.id);
        self.touch(placed.id);
    }

    fn started(&mut self, id: AllocationId, at: Timestamp) {
        self.learn_wait(id, at);
        let allocation = self.allocation_mut(id);
        allocation.started_at = Some(at);
        let (job, cluster) = (allocation.placed.job, allocation.placed.cluster);
        let ends_by = allocation.ends_by();
        self.emit(|| Change::Began(cluster, id, ends_by));
        let first = self.job_mut(job);
        if first.first_started.is_none() {
            first.first_started = Some(at);
            self.refresh_dependents(job);
        }
    }

    /// An allocation is over: its resources are free, its transfer posted (`charge`) or voided.
    fn ended(&mut self, id: AllocationId, charge: Option<MicroCredits>, then: Then) {
        self.end_grace(id);
        let allocation = self.allocations.remove(&id).expect("an allocation ends once");
        self.release_held(&allocation);
        let placed = &allocation.placed;
        let cluster = self.clusters.get_mut(&placed.cluster).expect("clusters are never removed");
        cluster.allocations.remove(&id);
        for node in &placed.nodes {
            cluster.give_back(*node, &placed.per_node);
        }
        match charge {
            Some(amount) => self.ledger.post(placed.transfer, amount),
            None => self.ledger.void(placed.transfer),
        }
        let (cluster, job) = (placed.cluster, placed.job);
        self.inputs_used(self.at, job, cluster);
        self.emit(|| Change::Freed(cluster, id));
        self.touch_gone(cluster, id);
        let live = self.jobs.get_mut(&job).expect("a placed job is live");
        let position = placed.index.and_then(|index| live.position_of(index));
        match then {
            Then::Requeued => {
                live.give_back(position, charge.is_some());
                self.refresh_gate(job);
                self.publish_pending(job);
            }
            Then::Over(state) => self.task_over(job, position, state),
        }
    }

    fn refused(&mut self, at: Timestamp, id: AllocationId) {
        let placed = &self.allocations.get(&id).expect("only live allocations are refused").placed;
        let (job, cluster) = (placed.job, placed.cluster);
        let live = self.job_mut(job);
        if !live.refused_by.contains(&cluster) {
            live.refused_by.push(cluster);
        }
        live.refused_at = Some(at);
        live.home = live.home.filter(|home| *home != cluster);
        self.derived.refused.insert(job);
        self.ended(id, None, Then::Requeued);
    }

    fn tasks_ended(&mut self, id: JobId, positions: &IndexSet, state: JobState) {
        if positions.is_empty() {
            self.task_over(id, None, state);
            return;
        }
        let job = self.jobs.get_mut(&id).expect("only live jobs have tasks that end");
        for position in positions.iter() {
            job.end_pending(position, state);
        }
        for position in positions.iter() {
            self.outcomes.insert(JobId(id.0 + u64::from(position)), state);
        }
        self.index_doomed(id);
        self.after_end(id);
    }

    fn task_over(&mut self, id: JobId, position: Option<u32>, state: JobState) {
        let job = self.jobs.get_mut(&id).expect("only live jobs have tasks that end");
        let own_id = JobId(id.0 + u64::from(position.unwrap_or(0)));
        if let (Some(position), Tasks::Array(array)) = (position, &mut job.tasks) {
            array.placed.remove(&position);
            array.pending.remove(position);
            array.restarts.remove(&position);
            array.ended.entry(state).or_default().insert(position);
        }
        self.outcomes.insert(own_id, state);
        self.after_end(id);
    }

    /// Removes the job if nothing of it is left, and lets those that wait for it know.
    fn after_end(&mut self, id: JobId) {
        let job = &self.jobs[&id];
        let over = match &job.tasks {
            Tasks::Single(_) => true,
            Tasks::Array(_) => job.is_over(),
        };
        if over {
            let job = self.jobs.remove(&id).expect("it was there a line ago");
            self.unindex_job(&job);
            if let Some(array) = &job.spec.array {
                self.outcomes.insert_array(id, array.clone());
            }
            self.emit(|| Change::NotPending(id));
            self.refresh_dependents(id);
            self.derived.dependents.remove(&id);
        } else {
            self.publish_pending(id);
            self.refresh_dependents(id);
        }
    }

    fn inventory_recorded(&mut self, id: ClusterId, inventory: &Arc<Inventory>) {
        let cluster = self.clusters.get_mut(&id).expect("the cluster was added");
        cluster.inventory = Some(Arc::clone(inventory));
        cluster.clear_used();
        let live: Vec<AllocationId> = cluster.allocations.iter().copied().collect();
        self.derived.catalog.set(id, Arc::clone(inventory));
        self.count_machine();
        self.emit(|| Change::Inventory(id, Arc::clone(inventory)));
        for allocation_id in live {
            self.emit(|| Change::Freed(id, allocation_id));
            let allocation =
                self.allocations.get_mut(&allocation_id).expect("indexed allocations are live");
            allocation.renumber(inventory);
            let cluster = self.clusters.get_mut(&id).expect("the cluster was added");
            for node in &allocation.placed.nodes {
                cluster.take(*node, &allocation.placed.per_node);
            }
            self.publish_running(allocation_id);
        }
    }

    fn cluster_mut(&mut self, id: ClusterId) -> &mut Cluster {
        self.clusters.get_mut(&id).expect("the cluster was added")
    }

    fn allocation_mut(&mut self, id: AllocationId) -> &mut Allocation {
        self.allocations.get_mut(&id).expect("events name live allocations")
    }

    fn job_mut(&mut self, id: JobId) -> &mut Job {
        self.jobs.get_mut(&id).expect("events name live jobs")
    }
}

impl Job {
    /// A pending task becomes a placed one.
    fn take_pending(&mut self, position: Option<u32>, allocation: AllocationId) {
        match (&mut self.tasks, position) {
            (Tasks::Single(task), _) => task.placed = Some(allocation),
            (Tasks::Array(array), Some(position)) => {
                assert!(array.pending.remove(position), "only pending tasks are placed");
                array.placed.insert(position, allocation);
            }
            (Tasks::Array(_), None) => unreachable!("a task of an array has a position"),
        }
        if let (super::Gate::PerTask { ready, .. }, Some(position)) = (&mut self.gate, position) {
            ready.remove(position);
        }
    }

    /// A placed task becomes a pending one again; a start counts as a restart.
    fn give_back(&mut self, position: Option<u32>, attempted: bool) {
        let started = u32::from(attempted);
        match (&mut self.tasks, position) {
            (Tasks::Single(task), _) => {
                task.placed = None;
                task.restarts += started;
            }
            (Tasks::Array(array), Some(position)) => {
                array.placed.remove(&position);
                array.pending.insert(position);
                if attempted {
                    *array.restarts.entry(position).or_default() += 1;
                }
            }
            (Tasks::Array(_), None) => unreachable!("a task of an array has a position"),
        }
    }

    fn end_pending(&mut self, position: u32, state: JobState) {
        let Tasks::Array(array) = &mut self.tasks else {
            unreachable!("only arrays have tasks by position")
        };
        assert!(array.pending.remove(position), "only pending tasks end without an attempt");
        array.restarts.remove(&position);
        array.ended.entry(state).or_default().insert(position);
        if let super::Gate::PerTask { ready, hopeless } = &mut self.gate {
            ready.remove(position);
            hopeless.remove(position);
        }
    }
}
