//! What is stopped so that a job of a higher QOS can start.
//!
//! A job may stop allocations of the QOSs that its own lists, of lower priority than its own, once
//! they have run for their time in peace; nothing else is ever stopped. On the nodes of an offer
//! they are taken in the order lowest QOS priority, youngest, until the job fits; then those that
//! turn out not to be needed are given back, the other way round. Of all offers the one that stops
//! fewest is chosen, the job's goal deciding between equals. What is ending anyway counts as free:
//! a job does not stop anything twice for one start.
//!
//! Complexity with `o` offers (at most [`OFFERS`] are looked at), `n` nodes of an offer and `r`
//! allocations running on its cluster: O(o (n + r log r)) for a job, and at most
//! [`crate::policy::Policy::preemptions_max`] jobs in a cycle.

use crate::fit::amount_on;
use crate::fit::score::score;
use crate::plan::cycle::{ClassRun, Cycle, Own, need};
use crate::snapshot::{ClusterView, Contact, Ending, Running};
use std::cmp::Reverse;
use suanpan_model::id::AllocationId;
use suanpan_model::tres::Tres;

/// Most offers of a job that are searched for what could be stopped.
pub(super) const OFFERS: usize = 16;

/// What would be stopped for a start on an offer, and on which nodes.
struct Found {
    offer: usize,
    nodes: Vec<u32>,
    stopped: Vec<AllocationId>,
}

impl Cycle<'_> {
    /// Chooses what to stop for a job and keeps what is free on its nodes for it; `None` if
    /// nothing that may be stopped makes room. Nothing to stop means: what it needs is ending.
    pub(crate) fn preempt(
        &mut self,
        run: &ClassRun<'_>,
        own: Own<'_>,
    ) -> Option<(suanpan_model::id::ClusterId, Vec<AllocationId>)> {
        let best = self.fewest_stops(run, own)?;
        let about = &run.class.offers[best.offer];
        self.keep(run, best.offer, &best.nodes, need(run.shape, about).hold);
        self.stand_mut(run, best.offer).stopped.extend(&best.stopped);
        Some((about.cluster, best.stopped))
    }

    /// Keeps what is free on nodes, and what soon will be, for a job that something ends for.
    pub(super) fn keep(
        &mut self,
        run: &ClassRun<'_>,
        offer: usize,
        nodes: &[u32],
        hold: suanpan_model::time::Seconds,
    ) {
        let now = self.now;
        let stand = self.stand_mut(run, offer);
        for &node in nodes {
            let capacity = stand.view.inventory.nodes[node as usize].capacity;
            let amount = amount_on(run.shape, &capacity);
            let place = node as usize;
            stand.soon[place] = stand.soon[place].less(&amount);
            stand.free[place] = stand.free[place].less(&amount);
            for lane in &mut stand.lanes {
                lane.lines[place].take_from_what_is_left(now, &amount, hold);
            }
        }
    }

    /// What is free soon on the nodes that an offer could use now.
    pub(super) fn room<'r>(&self, run: &'r ClassRun<'_>, offer: usize) -> Room<'r> {
        let about = &run.class.offers[offer];
        let stand = self.stand(run, offer);
        let mut room = Room {
            soon: stand.soon.clone(),
            amounts: vec![None; stand.soon.len()],
            needed: run.shape.nodes as usize,
            required: about.required(),
        };
        for &node in self.nodes(about) {
            if self.closure(run, offer, node).is_none() {
                let capacity = &stand.view.inventory.nodes[node as usize].capacity;
                room.amounts[node as usize] = Some(amount_on(run.shape, capacity));
            }
        }
        room
    }

    fn fewest_stops(&self, run: &ClassRun<'_>, own: Own<'_>) -> Option<Found> {
        let score_now = |offer: &usize| {
            score(run.shape.goal, &run.class.offers[*offer], self.now, &run.class.yardstick)
        };
        let may = |offer: &usize| {
            let about = &run.class.offers[*offer];
            self.view(run, *offer).contact == Contact::Reachable
                && !own.refused_by.contains(&about.cluster)
                && own.deadline.is_none_or(|by| self.now.plus(about.length()) <= by)
                && self.shortage(run, *offer).is_none()
        };
        let mut offers: Vec<usize> = (0..run.class.offers.len()).filter(may).collect();
        offers.sort_by_cached_key(score_now);
        offers.truncate(OFFERS);
        let found = offers.into_iter().filter_map(|offer| self.stops_on(run, own, offer));
        // The first of equals: the better one by the job's goal.
        found.min_by_key(|found| found.stopped.len())
    }

    fn stops_on(&self, run: &ClassRun<'_>, own: Own<'_>, offer: usize) -> Option<Found> {
        let stand = self.stand(run, offer);
        let mut room = self.room(run, offer);
        let mut taken: Vec<(AllocationId, &Running)> = Vec::new();
        if !room.fits() {
            for (id, running) in self.stoppable(stand.view, own, &stand.stopped, &room) {
                room.change(stand.view, running, |have, amount| have.plus(amount));
                taken.push((id, running));
                if room.fits() {
                    break;
                }
            }
        }
        if !room.fits() {
            return None;
        }
        let mut stopped: Vec<AllocationId> = Vec::new();
        for (place, (id, running)) in taken.iter().enumerate().rev() {
            room.change(stand.view, running, Tres::less);
            // The last one made it fit, so it is needed.
            if place + 1 == taken.len() || !room.fits() {
                room.change(stand.view, running, |have, amount| have.plus(amount));
                stopped.push(*id);
            }
        }
        stopped.reverse();
        Some(Found { offer, nodes: room.chosen(), stopped })
    }

    /// What a job may stop on nodes that it could use, in the order in which it is tried.
    fn stoppable<'v>(
        &self,
        view: &'v ClusterView,
        own: Own<'_>,
        stopped: &[AllocationId],
        room: &Room<'_>,
    ) -> Vec<(AllocationId, &'v Running)> {
        let usable = |node: &u32| room.amounts.get(*node as usize).is_some_and(Option::is_some);
        let may = |(id, running): &(AllocationId, &Running)| {
            let Some(rank) = &running.preemptible else { return false };
            running.ending == Ending::AtLimit
                && running.ends_by > self.now
                && rank.not_before <= self.now
                && rank.priority < own.qos_priority
                && own.may_preempt.contains(&rank.qos)
                && !stopped.contains(id)
                && running.nodes.iter().any(usable)
        };
        let all = view.running.iter().map(|(id, running)| (*id, running));
        let mut found: Vec<(AllocationId, &Running)> = all.filter(may).collect();
        found.sort_by_key(|(id, running)| {
            let rank = running.preemptible.as_ref().expect("only preemptible ones were kept");
            (rank.priority, Reverse(rank.since), *id)
        });
        found
    }
}

/// The nodes of an offer while allocations are taken away from them.
pub(super) struct Room<'a> {
    soon: Vec<Tres>,
    /// What the job takes on each node that it could use.
    amounts: Vec<Option<Tres>>,
    needed: usize,
    required: &'a [u32],
}

impl Room<'_> {
    fn is_free(&self, node: usize) -> bool {
        self.amounts[node].is_some_and(|amount| self.soon[node].covers(&amount))
    }

    pub(super) fn fits(&self) -> bool {
        self.required.iter().all(|&node| self.is_free(node as usize))
            && (0..self.soon.len()).filter(|&node| self.is_free(node)).take(self.needed).count()
                == self.needed
    }

    /// The nodes of the start: those that must be among them, then the first that fit.
    pub(super) fn chosen(&self) -> Vec<u32> {
        let free = (0..self.soon.len() as u32).filter(|&node| self.is_free(node as usize));
        let (mut chosen, others): (Vec<u32>, Vec<u32>) =
            free.partition(|node| self.required.binary_search(node).is_ok());
        chosen.extend(others);
        chosen.truncate(self.needed);
        chosen.sort_unstable();
        chosen
    }

    /// Gives what an allocation takes back to its nodes, or takes it again.
    pub(super) fn change(
        &mut self,
        view: &ClusterView,
        running: &Running,
        with: impl Fn(&Tres, &Tres) -> Tres,
    ) {
        for &node in &running.nodes {
            let Some(about) = view.inventory.nodes.get(node as usize) else { continue };
            let amount = running.amount_on(&about.capacity);
            let soon = &mut self.soon[node as usize];
            *soon = with(soon, &amount);
        }
    }
}
