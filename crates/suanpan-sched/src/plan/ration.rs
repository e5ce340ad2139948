//! Quotas in a cycle: whether a start is permitted now, and whose use is taken back for it.
//!
//! As in Kueue a quota is about what is held at the moment: a job that its project's quota does
//! not permit on one flavor takes the best of the others, and one that it permits on none is
//! passed over; it is promised nothing, since nodes kept for it would stand idle, and jobs after
//! it may start (Kueue's `BestEffortFIFO`). Within a cycle more and more is held, so a class that
//! was passed over once stays so until the next cycle.
//!
//! As in Kueue too, what does not borrow goes first, whatever the priorities; jobs for which their
//! project would have to borrow come in a second turn. Only a job that something was stopped for
//! goes before all others until it has started, so that what was stopped does not start again in
//! its place.
//!
//! What is taken back ([`crate::quota::preemption`]) has to make room on nodes too: first Kueue's
//! choice among all that could be stopped is tried, then the same among what is on the nodes of
//! the offer, then on one node after the other. What is ending anyway counts as given back, so a
//! job does not stop anything twice for one start.
//!
//! Complexity with `a` limited resources, `d` levels of cohorts: O(a d log) for each offer that
//! might be the best, where there are quotas at all. Taking back: at most [`OFFERS`] times
//! [`NODES`] searches, each O(r log r) for the `r` allocations it chooses from, for at most
//! [`crate::policy::Policy::preemptions_max`] jobs in a cycle.

use crate::fit::amount_on;
use crate::order::ratio::Ratio;
use crate::plan::cycle::{ClassRun, Cycle, Own, Ranking, need};
use crate::plan::preempt::OFFERS;
use crate::quota::book::{Book, Held, Reach};
use crate::quota::preemption::{Sharing, Target, Why, Workload, targets};
use crate::quota::{Amounts, Fit, MemberId, Quotas, Shortage};
use crate::snapshot::{Ending, PendingKey, Running, Snapshot};
use std::collections::BTreeMap;
use suanpan_model::id::{AllocationId, ClusterId};
use suanpan_model::job::Sharing as NodeSharing;
use suanpan_model::tres::Tres;

/// Most nodes of an offer that are tried one by one.
const NODES: usize = 32;

/// What is held of the quotas, with what this cycle started.
pub(crate) struct Ration<'a> {
    pub(crate) book: &'a Book,
    held: Quotas,
    /// For each flavor of a cluster's inventory its number among those that are limited.
    flavors: BTreeMap<ClusterId, Vec<Option<u16>>>,
    /// Of each member what counts in fair sharing; empty where priority alone counts.
    shares: Vec<Ratio>,
    /// Made when something is to be taken back.
    soon: Option<Soon<'a>>,
}

/// What will be held once what is ending has ended.
struct Soon<'a> {
    /// Without what is ending, with the jobs that it is taken back for.
    held: Quotas,
    admitted: Vec<Admitted<'a>>,
}

/// An allocation that could be stopped.
struct Admitted<'a> {
    cluster: ClusterId,
    running: &'a Running,
    workload: Workload,
}

/// An offer for which the quota does not permit a start now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rationed {
    pub(crate) offer: usize,
    pub(crate) shortage: Shortage,
    pub(crate) reach: Reach,
}

/// What is to be stopped, where and why.
pub(crate) type Stop = (ClusterId, AllocationId, Why);

impl<'a> Ration<'a> {
    pub(crate) fn new(snapshot: &Snapshot, book: &'a Book) -> Ration<'a> {
        let numbers = |inventory: &suanpan_model::site::Inventory| {
            inventory.flavors.iter().map(|flavor| book.flavor(&flavor.name)).collect()
        };
        let clusters = snapshot.clusters.iter();
        let flavors = clusters.map(|(id, view)| (*id, numbers(&view.inventory))).collect();
        let mut ration =
            Ration { book, held: book.quotas.clone(), flavors, shares: Vec::new(), soon: None };
        if book.policy().sharing == Sharing::Fair {
            let members = (0..book.quotas.len() as u32).map(MemberId);
            ration.shares = members.map(|id| book.quotas.borrowed_share(id)).collect();
        }
        ration
    }

    /// What counts in fair sharing, by member; nothing where priority alone counts.
    pub(crate) fn shares(&self) -> Option<&[Ratio]> {
        (!self.shares.is_empty()).then_some(&self.shares[..])
    }

    fn hold(&mut self, queue: MemberId, amounts: &Amounts) {
        self.held.add(queue, amounts);
        if let Some(soon) = &mut self.soon {
            soon.held.add(queue, amounts);
        }
        if !self.shares.is_empty() {
            for id in self.held.path_down(queue) {
                self.shares[id.0 as usize] = self.held.borrowed_share(id);
            }
        }
    }
}

impl<'a> Cycle<'a> {
    /// What a start of an offer would lack of its project's quota; `None` if it is permitted.
    pub(crate) fn shortage(&self, run: &ClassRun<'_>, offer: usize) -> Option<Rationed> {
        let ration = self.ration.as_ref()?;
        let (queue, amounts) = self.asked(run, offer)?;
        match ration.held.check(queue, &amounts) {
            Fit::Nominal | Fit::Borrowing => None,
            Fit::Full(shortage) => Some(Rationed { offer, shortage, reach: Reach::Now }),
            Fit::Never(shortage) => Some(Rationed { offer, shortage, reach: Reach::Ever }),
        }
    }

    /// Whether a start of an offer would have its project borrow.
    pub(crate) fn borrows(&self, run: &ClassRun<'_>, offer: usize) -> bool {
        let (Some(ration), Some((queue, amounts))) = (&self.ration, self.asked(run, offer)) else {
            return false;
        };
        ration.held.check(queue, &amounts) == Fit::Borrowing
    }

    /// What an offer takes of the quota of whom; of nodes taken whole, the largest that it could
    /// choose.
    fn asked(&self, run: &ClassRun<'_>, offer: usize) -> Option<(MemberId, Amounts)> {
        let per_node = match run.shape.sharing {
            NodeSharing::Shared => run.shape.per_node,
            NodeSharing::Exclusive => {
                let view = self.view(run, offer);
                let nodes = self.nodes(&run.class.offers[offer]).iter();
                let sizes = nodes.map(|node| view.inventory.nodes[*node as usize].capacity);
                sizes.fold(run.shape.per_node, |most, size| Tres {
                    cpus: most.cpus.max(size.cpus),
                    memory: most.memory.max(size.memory),
                    gpus: most.gpus.max(size.gpus),
                })
            }
        };
        self.amounts(run, offer, &per_node)
    }

    fn amounts(
        &self,
        run: &ClassRun<'_>,
        offer: usize,
        per_node: &Tres,
    ) -> Option<(MemberId, Amounts)> {
        let (ration, queue) = (self.ration.as_ref()?, run.queue?);
        let about = &run.class.offers[offer];
        let flavors = ration.flavors.get(&about.cluster)?;
        let flavor = (*flavors.get(usize::from(about.flavor))?)?;
        let amounts = ration.book.amounts(flavor, per_node, run.shape.nodes as usize);
        (!amounts.is_empty()).then_some((queue, amounts))
    }

    /// Counts a start on chosen nodes.
    pub(crate) fn count(&mut self, run: &ClassRun<'_>, offer: usize, chosen: &[u32]) {
        if self.ration.is_none() {
            return;
        }
        let inventory = &self.view(run, offer).inventory;
        let first = chosen.first().map(|node| inventory.nodes[*node as usize].capacity);
        let per_node = amount_on(run.shape, &first.unwrap_or_default());
        let asked = self.amounts(run, offer, &per_node);
        if let (Some(ration), Some((queue, amounts))) = (&mut self.ration, asked) {
            ration.hold(queue, &amounts);
        }
    }

    /// Chooses what to stop for a job that its quota does not permit now, and keeps what is free
    /// on its nodes for it; `None` if nothing that may be stopped makes room. Nothing to stop
    /// means: what it needs is ending.
    pub(crate) fn take_back(
        &mut self,
        run: &ClassRun<'_>,
        own: Own<'_>,
        key: &PendingKey,
        ranking: &Ranking,
    ) -> Option<Vec<Stop>> {
        let queue = run.queue?;
        let rules = self.ration.as_ref()?.book.rules(queue);
        if *rules == Default::default() {
            return None;
        }
        self.look_ahead();
        let in_time = |offer: usize| {
            let finish = self.now.plus(run.class.offers[offer].length());
            own.deadline.is_none_or(|by| finish <= by)
        };
        let offers = ranking.rationed.iter();
        let offers = offers.filter(|one| one.reach == Reach::Now && in_time(one.offer));
        let found = offers.take(OFFERS).filter_map(|one| self.stops_for(run, key, one.offer));
        // The first of equals: the better one by the job's goal.
        let (offer, stops, amounts) = found.min_by_key(|(_, stops, _)| stops.len())?;
        self.stop(run, offer, &stops);
        let ration = self.ration.as_mut().expect("it was there above");
        let soon = ration.soon.as_mut().expect("it was just made");
        for (_, id, _) in &stops {
            let place = soon.admitted.iter().position(|one| one.workload.id == id.0);
            let one = soon.admitted.swap_remove(place.expect("only admitted ones are stopped"));
            soon.held.remove(one.workload.queue, &one.workload.amounts);
        }
        soon.held.add(queue, &amounts);
        Some(stops)
    }

    /// Works out what will be held once what is ending has ended.
    fn look_ahead(&mut self) {
        let Some(ration) = self.ration.as_mut().filter(|ration| ration.soon.is_none()) else {
            return;
        };
        let mut soon = Soon { held: ration.held.clone(), admitted: Vec::new() };
        for (&cluster, view) in &self.snapshot.clusters {
            for (id, running) in &view.running {
                let Some(held) = running.held.as_deref() else { continue };
                if running.ending == Ending::Stopping || running.ends_by <= self.now {
                    soon.held.remove(held.queue, &held.amounts);
                } else {
                    soon.admitted.push(Admitted {
                        cluster,
                        running,
                        workload: workload(*id, held),
                    });
                }
            }
        }
        ration.soon = Some(soon);
    }

    /// What has to be stopped for a start on an offer.
    fn stops_for(
        &self,
        run: &ClassRun<'_>,
        key: &PendingKey,
        offer: usize,
    ) -> Option<(usize, Vec<Stop>, Amounts)> {
        let ration = self.ration.as_ref()?;
        let soon = ration.soon.as_ref()?;
        let (queue, amounts) = self.asked(run, offer)?;
        let incoming = Workload {
            id: 0,
            queue,
            priority: key.own_priority(),
            amounts,
            queued: key.submitted,
            admitted: self.now,
        };
        let fits =
            matches!(soon.held.check(queue, &incoming.amounts), Fit::Nominal | Fit::Borrowing);
        if fits {
            let room = self.room(run, offer).fits();
            return room.then_some((offer, Vec::new(), incoming.amounts));
        }
        let cluster = run.class.offers[offer].cluster;
        let (rules, sharing) = (ration.book.rules(queue), ration.book.policy().sharing);
        for some in self.choices_to_stop(run, offer, soon) {
            let some: Vec<Workload> = some.iter().map(|one| one.workload.clone()).collect();
            let found = targets(&soon.held, rules, sharing, &incoming, &some);
            if found.is_empty() {
                continue;
            }
            let stops: Vec<Stop> = found.iter().map(|target| stop_of(soon, target)).collect();
            let mut room = self.room(run, offer);
            let view = self.view(run, offer);
            for (_, id, _) in stops.iter().filter(|(at, ..)| *at == cluster) {
                room.change(view, &view.running[id], |have, amount| have.plus(amount));
            }
            if room.fits() {
                return Some((offer, stops, incoming.amounts));
            }
        }
        None
    }

    /// What to choose from, in the order in which it is tried: everything, as Kueue does; what is
    /// on the nodes of the offer; then, for a job of one node, what is on each of the nodes that
    /// hold fewest.
    fn choices_to_stop<'s>(
        &self,
        run: &ClassRun<'_>,
        offer: usize,
        soon: &'s Soon<'a>,
    ) -> Vec<Vec<&'s Admitted<'a>>> {
        let cluster = run.class.offers[offer].cluster;
        let nodes = self.nodes(&run.class.offers[offer]);
        let mut by_node: BTreeMap<u32, Vec<&Admitted<'_>>> = BTreeMap::new();
        let mut here = Vec::new();
        for one in soon.admitted.iter().filter(|one| one.cluster == cluster) {
            let mut on = one.running.nodes.iter().filter(|node| nodes.binary_search(node).is_ok());
            if let Some(first) = on.next() {
                here.push(one);
                for node in std::iter::once(first).chain(on) {
                    by_node.entry(*node).or_default().push(one);
                }
            }
        }
        let mut choices = vec![soon.admitted.iter().collect(), here];
        if run.shape.nodes == 1 {
            let mut single: Vec<Vec<&Admitted<'_>>> = by_node.into_values().collect();
            single.sort_by_key(Vec::len);
            choices.extend(single.into_iter().take(NODES));
        }
        choices
    }

    /// Takes down what is stopped, and keeps nodes of an offer for the job it is stopped for.
    fn stop(&mut self, run: &ClassRun<'_>, offer: usize, stops: &[Stop]) {
        for &(at, id, _) in stops {
            self.stopped_at(at, id);
        }
        let nodes = self.room(run, offer).chosen();
        self.keep(run, offer, &nodes, need(run.shape, &run.class.offers[offer]).hold);
    }
}

fn workload(id: AllocationId, held: &Held) -> Workload {
    Workload {
        id: id.0,
        queue: held.queue,
        priority: held.priority,
        amounts: held.amounts.clone(),
        queued: held.queued,
        admitted: held.admitted,
    }
}

fn stop_of(soon: &Soon<'_>, target: &Target) -> Stop {
    let one = soon.admitted.iter().find(|one| one.workload.id == target.id);
    let one = one.expect("targets are among the admitted");
    (one.cluster, AllocationId(target.id), target.why)
}
