//! `CommitPlan`: starts the scheduler proposes, judged again against the state as it is now.
//! Stale ones are dropped, the rest kept. The same goes for what it would stop.

use crate::command::{Caller, CommitPlan};
use crate::event::{Event, PlacedAllocation};
use crate::rejection::Rejection;
use crate::state::{Allocation, Cluster, Job, State};
use std::collections::{BTreeMap, BTreeSet};
use suanpan_ledger::TransferId;
use suanpan_model::id::{AllocationId, ClusterId, JobId};
use suanpan_model::job::{ArraySites, Prediction, Sharing};
use suanpan_model::site::Inventory;
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_model::tres::Tres;
use suanpan_sched::plan::{Placement, Preemption};
use suanpan_sched::quota::book::Book;
use suanpan_sched::quota::{Amounts, Fit, MemberId};
use suanpan_sched::reason::PreemptedFor;
use suanpan_sched::snapshot::Contact;
use suanpan_site::order::StopReason;

pub(crate) fn decide(
    state: &State,
    at: Timestamp,
    caller: &Caller,
    plan: &CommitPlan,
) -> Result<Vec<Event>, Rejection> {
    if *caller != Caller::System {
        return Err(Rejection::SystemOnly);
    }
    let mut judge = Judge {
        state,
        at,
        taken: BTreeMap::new(),
        backlogs: BTreeMap::new(),
        ready: BTreeMap::new(),
        homes: BTreeMap::new(),
        book: state.derived.book.clone(),
    };
    let mut allocations: Vec<PlacedAllocation> = Vec::with_capacity(plan.placements.len());
    for placement in &plan.placements {
        let number = allocations.len() as u64;
        if (placement.explanation as usize) < plan.explanations.len()
            && let Some(mut placed) = judge.place(placement)
        {
            placed.id = AllocationId(state.next.allocation + number);
            placed.transfer = TransferId(state.next.transfer + number);
            allocations.push(placed);
        }
    }
    let mut events = Vec::new();
    if !allocations.is_empty() {
        let explanations = plan.explanations.clone();
        events.push(Event::PlanCommitted { explanations, allocations });
    }
    let mut stopped = BTreeSet::new();
    for preemption in &plan.preemptions {
        if stopped.insert(preemption.allocation) {
            events.extend(stop(state, at, preemption));
        }
    }
    Ok(events)
}

/// The stop of an allocation for a job that still waits and still may.
fn stop(state: &State, at: Timestamp, preemption: &Preemption) -> Option<Event> {
    let job = state.jobs.get(&preemption.by).filter(|job| job.ready_count() > 0)?;
    let live = state.allocations.get(&preemption.allocation)?;
    let may = live.stopping.is_none()
        && live.preempted.is_none()
        && match preemption.why {
            PreemptedFor::Qos => goes_before(state, at, job, live),
            PreemptedFor::Quota(_) => state.may_take_back(job, live),
        };
    let stop_at = at.plus(state.grace(live));
    may.then(|| match stop_at > at {
        true => {
            Event::AllocationPreempted { allocation: preemption.allocation, by: job.id, stop_at }
        }
        false => live.stopping(StopReason::Preempted, Some(job.id)),
    })
}

/// Whether the QOS of a job lets it stop an allocation.
fn goes_before(state: &State, at: Timestamp, job: &Job, live: &Allocation) -> bool {
    let (may_preempt, priority) = state.may_preempt(job);
    state.preemptible(live).is_some_and(|rank| {
        rank.not_before <= at && rank.priority < priority && may_preempt.contains(&rank.qos)
    })
}

/// Tasks of one job that may still be placed in this plan.
struct Ready<'a> {
    left: u32,
    positions: Box<dyn Iterator<Item = u32> + 'a>,
}

/// The state plus what this plan has used of it so far.
struct Judge<'a> {
    state: &'a State,
    at: Timestamp,
    taken: BTreeMap<(ClusterId, u32), Tres>,
    /// How many more jobs may wait in a cluster's own queue; filled in where it matters.
    backlogs: BTreeMap<ClusterId, u32>,
    ready: BTreeMap<JobId, Ready<'a>>,
    /// Where this plan last placed something of a job.
    homes: BTreeMap<JobId, ClusterId>,
    /// The quotas with what this plan holds too.
    book: Option<Box<Book>>,
}

impl<'a> Judge<'a> {
    /// The allocation a placement makes (ids still to be set), or nothing if it is stale.
    fn place(&mut self, placement: &Placement) -> Option<PlacedAllocation> {
        let state = self.state;
        let job = state.jobs.get(&placement.job)?;
        let cluster = state.clusters.get(&placement.cluster)?;
        let inventory = cluster.inventory.as_deref()?;
        let shape = &job.spec.shape;
        if cluster.contact.0 != Contact::Reachable || !self.may_begin(job, placement) {
            return None;
        }
        self.keeps_together(job, placement.cluster)?;
        let partition = inventory.partitions.get(usize::from(placement.partition))?;
        let in_partition = |node: &u32| partition.nodes.contains(node);
        if placement.nodes.len() != shape.nodes as usize
            || !placement.nodes.iter().all(in_partition)
            || placement.time_limit > partition.time_max
        {
            return None;
        }
        let limit = Seconds(u64::from(placement.time_limit.seconds()));
        let hold = Seconds(limit.0.saturating_add(placement.prediction.stage.0));
        let open = |index: &u32| {
            let name = &inventory.nodes[*index as usize].name;
            cluster.closure_of(name, job, self.at, hold).is_none()
        };
        if !cluster.closures.is_empty() && !placement.nodes.iter().all(open) {
            return None;
        }
        let per_node = amount_on_each(job, inventory, &placement.nodes)?;
        let price = inventory.flavor_of(&inventory.nodes[placement.nodes[0] as usize]).price;
        let cost = price.charge(&per_node, shape.nodes, limit);
        if shape.budget.is_some_and(|budget| cost > budget) {
            return None;
        }
        let node = |index: &u32| &inventory.nodes[*index as usize];
        let flavor = &inventory.flavor_of(node(&placement.nodes[0])).name;
        let held = self.permitted(job, flavor, &per_node)?;
        self.take(placement, cluster, inventory, &per_node)?;
        let position = self.next_ready(job)?;
        self.homes.insert(job.id, placement.cluster);
        if let (Some(book), Some((queue, amounts))) = (&mut self.book, held) {
            book.quotas.add(queue, &amounts);
        }
        Some(PlacedAllocation {
            id: AllocationId(0),
            job: job.id,
            index: job.index_at(position),
            cluster: placement.cluster,
            partition: partition.name.clone(),
            nodes: placement.nodes.clone(),
            node_names: placement.nodes.iter().map(|index| node(index).name.clone()).collect(),
            flavor: flavor.clone(),
            time_limit: placement.time_limit,
            per_node,
            sharing: shape.sharing,
            price,
            transfer: TransferId(0),
            prediction: Prediction { cost, ..placement.prediction },
            explanation: placement.explanation,
        })
    }

    /// The tasks of an array stay together; those that a plan scattered are planned again.
    fn keeps_together(&self, job: &Job, cluster: ClusterId) -> Option<()> {
        let stays = job.spec.array.is_some() && job.spec.array_sites == ArraySites::One;
        let home = job.home.or_else(|| self.homes.get(&job.id).copied());
        (!stays || home.is_none_or(|home| home == cluster)).then_some(())
    }

    /// Whether the job's begin time has come, its deadline can be met and its inputs exist.
    fn may_begin(&self, job: &Job, placement: &Placement) -> bool {
        let length = placement.prediction.stage.0.saturating_add(placement.prediction.run.0);
        let finish = self.at.plus(Seconds(length));
        job.spec.begin.is_none_or(|begin| begin <= self.at)
            && job.spec.deadline.is_none_or(|deadline| finish <= deadline)
            && self.state.missing_input(job).is_none()
    }

    /// What a start would hold of its project's quota, or nothing if the quota does not permit it.
    fn permitted(
        &self,
        job: &Job,
        flavor: &str,
        per_node: &Tres,
    ) -> Option<Option<(MemberId, Amounts)>> {
        let Some(book) = &self.book else { return Some(None) };
        let Some(flavor) = book.flavor(flavor) else { return Some(None) };
        let queue = book.queue_of(&job.spec.project);
        let amounts = book.amounts(flavor, per_node, job.spec.shape.nodes as usize);
        let fits = matches!(book.quotas.check(queue, &amounts), Fit::Nominal | Fit::Borrowing);
        fits.then_some(Some((queue, amounts)))
    }

    /// Takes the nodes' amounts, all or none: what is free, or, where the job may wait in the
    /// cluster's own queue, what will be.
    fn take(
        &mut self,
        placement: &Placement,
        cluster: &Cluster,
        inventory: &Inventory,
        per_node: &Tres,
    ) -> Option<()> {
        let left = self.backlog_left(placement.cluster, cluster, inventory);
        let mut sums = Vec::with_capacity(placement.nodes.len());
        for (number, node) in placement.nodes.iter().enumerate() {
            if placement.nodes[..number].contains(node) {
                return None;
            }
            let key = (placement.cluster, *node);
            let sum = self.taken.get(&key).copied().unwrap_or_default().plus(per_node);
            let is_free = cluster.free.get(*node as usize)?.covers(&sum);
            let fits = inventory.nodes.get(*node as usize)?.capacity.covers(per_node);
            if !is_free && (left == 0 || !fits) {
                return None;
            }
            sums.push((key, sum));
        }
        self.taken.extend(sums);
        self.backlogs.insert(placement.cluster, left.saturating_sub(1));
        Some(())
    }

    /// How many more jobs may wait in a cluster's own queue.
    fn backlog_left(&self, id: ClusterId, cluster: &Cluster, inventory: &Inventory) -> u32 {
        let lives = cluster.allocations.iter().map(|id| &self.state.allocations[id]);
        let waiting = lives.filter(|live| live.started_at.is_none());
        let count = || inventory.backlog_left(!cluster.closures.is_empty(), waiting);
        self.backlogs.get(&id).copied().unwrap_or_else(count)
    }

    /// The lowest task of a job that is ready and not placed by this plan yet.
    fn next_ready(&mut self, job: &'a Job) -> Option<u32> {
        let ready = self
            .ready
            .entry(job.id)
            .or_insert_with(|| Ready { left: job.ready_count(), positions: job.ready_positions() });
        ready.left = ready.left.checked_sub(1)?;
        ready.positions.next()
    }
}

/// What the job takes of each node: its request, or for an exclusive job the whole node. All
/// nodes of one job have one flavor; those of an exclusive one are also of one size.
fn amount_on_each(job: &Job, inventory: &Inventory, nodes: &[u32]) -> Option<Tres> {
    let shape = &job.spec.shape;
    let first = inventory.nodes.get(*nodes.first()? as usize)?;
    let same = |index: &u32| {
        inventory.nodes.get(*index as usize).is_some_and(|node| {
            node.flavor == first.flavor
                && (shape.sharing == Sharing::Shared || node.capacity == first.capacity)
        })
    };
    if !nodes.iter().all(same) {
        return None;
    }
    Some(shape.sharing.amount(shape.per_node, first.capacity))
}
