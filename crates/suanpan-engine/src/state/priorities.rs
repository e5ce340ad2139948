//! Priorities of jobs, and the usage that fair shares follow.

use super::{Allocation, Job, State};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use suanpan_model::id::{AllocationId, Generation, JobId};
use suanpan_model::job::Requeue;
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_model::walltime::Walltime;
use suanpan_sched::order::multifactor::{Factor, Parts, Size};
use suanpan_sched::order::priority::{Asked, PriorityPolicy, Qos, UserShare, WhenPreempted};
use suanpan_sched::order::usage::Decayed;
use suanpan_sched::snapshot::Preemptible;
use suanpan_site::report::Outcome;

/// The policy, what was used, and the fair shares as last worked out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Priorities {
    /// How priorities are worked out; `None` means by submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Box<PriorityPolicy>>,
    /// Of each project and user, what ended attempts have used.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub usage: BTreeMap<String, BTreeMap<String, Decayed>>,
    /// Fair-share factors by project and user.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shares: BTreeMap<String, BTreeMap<String, Factor>>,
    /// When they were worked out.
    #[serde(default)]
    pub at: Timestamp,
}

impl Priorities {
    pub(crate) fn is_unused(&self) -> bool {
        *self == Priorities::default()
    }

    /// A user's factor; one who is new stands where the best of the project does.
    fn factor(&self, job: &Job) -> Factor {
        let Some(users) = self.shares.get(&job.spec.project) else { return Factor::ONE };
        let best = || users.values().max().copied().unwrap_or(Factor::ONE);
        users.get(&job.spec.user).copied().unwrap_or_else(best)
    }
}

/// Nodes and CPUs of all clusters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Machine {
    nodes: u64,
    cpus: u64,
}

impl State {
    /// The policy of priorities and what it goes by.
    #[must_use]
    pub fn priorities(&self) -> &Priorities {
        &self.priorities
    }

    /// The parts of a live job's priority (what `sprio` prints), without a policy nothing.
    #[must_use]
    pub fn priority_parts(&self, now: Timestamp, job: &Job) -> Option<Parts> {
        let policy = self.priorities.policy.as_deref()?;
        let shape = &job.spec.shape;
        let machine = self.derived.machine;
        let size = Size {
            nodes: shape.nodes.into(),
            cpus: u64::from(shape.nodes) * u64::from(shape.per_node.cpus),
            time: Seconds(shape.time.map_or(60, Walltime::seconds).into()),
            nodes_there: machine.nodes,
            cpus_there: machine.cpus,
        };
        let asked = Asked {
            qos: job.spec.qos.as_deref(),
            nice: job.spec.nice,
            size,
            eligible_since: job.submitted.max(job.spec.begin.unwrap_or_default()),
            fair_share: self.priorities.factor(job),
        };
        Some(policy.parts(&asked, now))
    }

    /// What each user has used in each project, and the fair share that follows; nothing without
    /// a policy. O(jobs * log users).
    #[must_use]
    pub fn fair_shares(&self, now: Timestamp) -> Vec<(UserShare, u64)> {
        let Some(policy) = self.priorities.policy.as_deref() else { return Vec::new() };
        let used = self.usage_at(policy, now);
        let ranked = used.iter().map(|((project, user), usage)| (*project, *user, *usage));
        let ranked = policy.fair_shares(ranked);
        let with_usage = |share: UserShare| {
            let usage = used.get(&(share.project.as_str(), share.user.as_str()));
            let usage = usage.copied().unwrap_or(0);
            (share, usage)
        };
        ranked.into_iter().map(with_usage).collect()
    }

    /// Whether priorities are to be worked out anew.
    pub(crate) fn priorities_due(&self, at: Timestamp) -> Option<&PriorityPolicy> {
        let policy = self.priorities.policy.as_deref()?;
        (self.priorities.at.plus(policy.every) <= at).then_some(policy)
    }

    /// What each user has used in each project, ended and running, as of a time; users that have
    /// live jobs are there with nothing. O(jobs * log users).
    pub(crate) fn usage_at(
        &self,
        policy: &PriorityPolicy,
        now: Timestamp,
    ) -> BTreeMap<(&str, &str), u64> {
        let mut used: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for (project, users) in &self.priorities.usage {
            for (user, decayed) in users {
                used.insert((project, user), decayed.at(now, policy.half_life));
            }
        }
        for job in self.jobs.values() {
            used.entry((&job.spec.project, &job.spec.user)).or_default();
        }
        for allocation in self.allocations.values() {
            let Some(started) = allocation.started_at else { continue };
            let spec = &self.jobs[&allocation.placed.job].spec;
            let billed = billed(policy, allocation, now.micros_since(started));
            let entry = used.entry((&spec.project, &spec.user)).or_default();
            *entry = entry.saturating_add(billed);
        }
        used
    }

    fn qos(&self, job: &Job) -> Option<(&str, &Qos)> {
        let policy = self.priorities.policy.as_deref()?;
        let (name, qos) = policy.qos.get_key_value(job.spec.qos.as_deref()?)?;
        Some((name, qos))
    }

    /// QOSs whose allocations may be stopped for a job, and the priority of its own.
    pub(crate) fn may_preempt(&self, job: &Job) -> (Vec<String>, u32) {
        let qos = self.qos(job).map(|(_, qos)| (qos.preempts.clone(), qos.priority));
        qos.unwrap_or_default()
    }

    /// Whether an allocation may be stopped for others, and for whom.
    pub(crate) fn preemptible(&self, allocation: &Allocation) -> Option<Preemptible> {
        let (name, qos) = self.qos(self.jobs.get(&allocation.placed.job)?)?;
        let since = allocation.placed_at;
        Some(Preemptible {
            qos: name.to_owned(),
            priority: qos.priority,
            since,
            not_before: since.plus(qos.exempt),
        })
    }

    /// How long an allocation may still run once it is to be stopped for another job.
    pub(crate) fn grace(&self, allocation: &Allocation) -> Seconds {
        let job = self.jobs.get(&allocation.placed.job);
        job.and_then(|job| self.qos(job)).map_or(Seconds(0), |(_, qos)| qos.grace)
    }

    /// Allocations whose grace is over, with the job they are stopped for.
    pub(crate) fn graces_due(&self, at: Timestamp) -> impl Iterator<Item = (&Allocation, JobId)> {
        let due = self.derived.graces.iter().take_while(move |(stop_at, _)| *stop_at <= at);
        due.filter_map(|(_, id)| {
            let live = &self.allocations[id];
            live.preempted.map(|(by, _)| (live, by))
        })
    }

    pub(super) fn preempted(&mut self, id: AllocationId, by: JobId, stop_at: Timestamp) {
        let live = self.allocations.get_mut(&id).expect("events name live allocations");
        live.preempted = Some((by, stop_at));
        // Its order says so now: a new version, so that one that is lost on the way is missed.
        live.generation = Generation(live.generation.0 + 1);
        self.derived.graces.insert((stop_at, id));
        self.touch(id);
        self.publish_running(id);
    }

    /// A grace ends with its allocation, or with the order to stop it.
    pub(super) fn end_grace(&mut self, id: AllocationId) {
        let Some(live) = self.allocations.get(&id) else { return };
        if let Some((_, stop_at)) = live.preempted {
            self.derived.graces.remove(&(stop_at, id));
        }
    }

    /// What becomes of a task that is stopped for another job: as its QOS says, but only one that
    /// may be started again waits again.
    pub(crate) fn when_preempted(&self, allocation: &Allocation) -> WhenPreempted {
        let job = &self.jobs[&allocation.placed.job];
        match self.qos(job).map(|(_, qos)| qos.when_preempted) {
            Some(WhenPreempted::Requeue) | None if job.spec.requeue == Requeue::OnFailure => {
                WhenPreempted::Requeue
            }
            _ => WhenPreempted::Cancel,
        }
    }

    pub(super) fn priorities_set(&mut self, policy: Option<Box<PriorityPolicy>>) {
        self.priorities.policy = policy;
        if self.priorities.policy.is_none() {
            self.priorities = Priorities::default();
            self.prioritize_all(self.at);
        }
        // The rights that QOSs give may have changed for everything.
        let running: Vec<AllocationId> = self.allocations.keys().copied().collect();
        running.into_iter().for_each(|id| self.publish_running(id));
        let jobs: Vec<JobId> = self.jobs.keys().copied().collect();
        jobs.into_iter().for_each(|id| self.publish_pending(id));
    }

    pub(super) fn jobs_prioritized(&mut self, at: Timestamp, shares: &[UserShare]) {
        self.priorities.at = at;
        self.priorities.shares.clear();
        for share in shares {
            let users = self.priorities.shares.entry(share.project.clone()).or_default();
            users.insert(share.user.clone(), share.factor);
        }
        self.prioritize_all(at);
    }

    /// Works all priorities out: O(jobs), and O(log jobs) in the scheduler for each that changed.
    fn prioritize_all(&mut self, at: Timestamp) {
        let jobs: Vec<JobId> = self.jobs.keys().copied().collect();
        for id in jobs {
            let priority = self.priority_of(at, &self.jobs[&id]);
            let job = self.jobs.get_mut(&id).expect("the id was just listed");
            if job.priority != priority {
                job.priority = priority;
                self.publish_pending(id);
                self.publish_held(id);
            }
        }
    }

    /// Tells the scheduler of a job's allocations, where their priority decides what they hold.
    fn publish_held(&mut self, id: JobId) {
        if self.quotas.is_some() {
            let placed: Vec<AllocationId> =
                self.jobs[&id].tasks.placed().map(|(_, allocation)| allocation).collect();
            placed.into_iter().for_each(|id| self.publish_running(id));
        }
    }

    pub(super) fn priority_of(&self, at: Timestamp, job: &Job) -> i64 {
        self.priority_parts(at, job).map_or(0, |parts| parts.priority())
    }

    /// Counts what an attempt has used.
    pub(super) fn count_usage(&mut self, at: Timestamp, id: AllocationId, outcome: &Outcome) {
        let Some(policy) = self.priorities.policy.as_deref() else { return };
        let allocation = &self.allocations[&id];
        let amount = billed(policy, allocation, outcome.usage.wall_us);
        let half_life = policy.half_life;
        let spec = &self.jobs[&allocation.placed.job].spec;
        let (project, user) = (spec.project.clone(), spec.user.clone());
        let users = self.priorities.usage.entry(project).or_default();
        users.entry(user).or_default().add(amount, at, half_life);
    }

    pub(super) fn count_machine(&mut self) {
        let inventories = self.clusters.values().filter_map(|cluster| cluster.inventory.as_ref());
        let mut machine = Machine::default();
        for node in inventories.flat_map(|inventory| &inventory.nodes) {
            machine.nodes += 1;
            machine.cpus += u64::from(node.capacity.cpus);
        }
        self.derived.machine = machine;
    }
}

/// Thousandths of billed seconds of an allocation that was held for so long.
fn billed(policy: &PriorityPolicy, allocation: &Allocation, micros: u64) -> u64 {
    let placed = &allocation.placed;
    let nodes = u32::try_from(placed.node_names.len()).expect("gangs have fewer than 2^32 nodes");
    let rate = policy.billing.billed_milli(&placed.per_node, nodes);
    let billed = u128::from(rate) * u128::from(micros) / 1_000_000;
    u64::try_from(billed).unwrap_or(u64::MAX)
}
