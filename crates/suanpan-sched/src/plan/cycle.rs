//! The state of one cycle: what is free and promised on every node, and the ranking of a shape's
//! offers against it.

use crate::fit::gang::{self, Rule, Seat};
use crate::fit::score::{Score, score};
use crate::fit::{Offer, amount_on};
use crate::flavor_speed::Program;
use crate::plan::floor::Floor;
use crate::plan::ration::{Ration, Rationed};
use crate::policy::Policy;
use crate::quota::MemberId;
use crate::snapshot::{
    ClassKey, Closure, ClosureId, ClusterView, Contact, Ending, Pending, Running, ShapeClass,
    Snapshot,
};
use crate::timeline::{Need, NodeLine, earliest_gang};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::Arc;
use suanpan_model::id::{AllocationId, ClusterId};
use suanpan_model::job::Shape;
use suanpan_model::time::Timestamp;
use suanpan_model::tres::Tres;

/// What is free and promised everywhere, from now on.
pub(crate) struct Cycle<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) policy: &'a Policy,
    pub(crate) now: Timestamp,
    /// The quotas, where there are any.
    pub(crate) ration: Option<Ration<'a>>,
    stands: Vec<Stand<'a>>,
}

/// One cluster in this cycle.
pub(crate) struct Stand<'a> {
    id: ClusterId,
    pub(crate) view: &'a ClusterView,
    /// The first is everybody's; the others are of jobs that may use some reservation.
    pub(crate) lanes: Vec<Lane<'a>>,
    /// Free now, less what this cycle started; promises and closures do not count.
    pub(crate) free: Vec<Tres>,
    /// That, and what is being stopped or past its limit, less what is kept for those that stop
    /// it.
    pub(crate) soon: Vec<Tres>,
    /// What this cycle stops.
    pub(crate) stopped: Vec<AllocationId>,
    /// How many more jobs may wait in the site's own queue, in their order: none once a job is
    /// promised a start here.
    backlog_left: u32,
}

/// A cluster as jobs see it that may use the same closures.
pub(crate) struct Lane<'a> {
    may_use: &'a [ClosureId],
    pub(crate) lines: Vec<NodeLine>,
    /// Of each pool, the starts that cannot be beaten.
    floors: Vec<Floor>,
}

/// One shape in this cycle.
pub(crate) struct ClassRun<'a> {
    pub(crate) shape: &'a Arc<Shape>,
    pub(crate) class: &'a ShapeClass,
    /// Whose quota its jobs would use.
    pub(crate) queue: Option<MemberId>,
    /// Their program, if something is known of it.
    pub(crate) program: Option<&'a Arc<Program>>,
    /// For each offer, the position of its cluster.
    stands: Vec<u32>,
    /// The offers that may start, by the best score they could still have. Within a cycle free
    /// amounts only shrink, so a start that was found once stays a lower bound.
    open: BinaryHeap<Reverse<Entry>>,
    /// Offers of clusters out of contact.
    silent: Vec<usize>,
    /// Offers whose nodes are closed for good.
    closed: Vec<usize>,
    /// Which of its clusters' lanes it is in.
    lane: usize,
    /// Number of the ranking; scores fitted in this one are exact, older ones lower bounds.
    round: u32,
}

/// Conditions of one job beyond its shape.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Own<'a> {
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) refused_by: &'a [ClusterId],
    pub(crate) may_use: &'a [ClosureId],
    pub(crate) may_preempt: &'a [String],
    pub(crate) qos_priority: u32,
}

impl<'a> Own<'a> {
    /// Those of a pending job.
    pub(crate) fn of(pending: &'a Pending) -> Own<'a> {
        let Pending { deadline, refused_by, may_use, may_preempt, qos_priority, .. } = pending;
        let (deadline, qos_priority) = (*deadline, *qos_priority);
        Own { deadline, refused_by, may_use, may_preempt, qos_priority }
    }
}

/// An offer with the earliest start that keeps every promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) offer: usize,
    pub(crate) start: Timestamp,
}

/// Offers best first, and those that were passed over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranking {
    pub(crate) choices: Vec<Choice>,
    /// Offers of clusters out of contact.
    pub(crate) silent: Vec<usize>,
    /// Offers whose nodes are closed for good.
    pub(crate) closed: Vec<usize>,
    /// Offers of clusters that refused the job.
    pub(crate) refused: Vec<usize>,
    /// Offers that would finish after the deadline.
    pub(crate) late: Vec<Choice>,
    /// Offers for which the quota does not permit a start now.
    pub(crate) rationed: Vec<Rationed>,
}

impl Ranking {
    /// Whether it is the quota alone that keeps a job from starting or being promised a start.
    pub(crate) fn is_rationed(&self) -> bool {
        self.choices.is_empty()
            && self.late.is_empty()
            && self.refused.is_empty()
            && !self.rationed.is_empty()
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    score: Score,
    offer: u32,
    /// The ranking in which it was fitted; 0 if never.
    round: u32,
}

impl<'a> Cycle<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot, now: Timestamp, policy: &'a Policy) -> Cycle<'a> {
        let overdue_end = now.plus(policy.overdue);
        let users = users_of_closures(snapshot);
        let preempting = is_preempting(snapshot, policy);
        let ration = snapshot.quotas.as_deref().map(|book| Ration::new(snapshot, book));
        let stand = |(&id, view): (&ClusterId, &'a ClusterView)| {
            let lane = |may_use: &&'a [ClosureId]| {
                let nodes = 0..view.free.len() as u32;
                let lines: Vec<NodeLine> =
                    nodes.map(|node| view.line(node, may_use, now, overdue_end)).collect();
                let pools = snapshot.catalog.pools(id).iter();
                let floors = pools.map(|pool| Floor::new(now, &lines, &pool.nodes)).collect();
                Lane { may_use, lines, floors }
            };
            let lanes = users.iter().map(lane).collect();
            let free = view.free.clone();
            let soon = if preempting { soon(view, now) } else { Vec::new() };
            let backlog_left = view.backlog_left();
            Stand { id, view, lanes, free, soon, stopped: Vec::new(), backlog_left }
        };
        let stands = snapshot.clusters.iter().map(stand).collect();
        Cycle { snapshot, policy, now, ration, stands }
    }

    /// Starts with a class of jobs that may use these closures, knowing only what no start can
    /// beat.
    pub(crate) fn class<'r>(
        &self,
        of: &'r ClassKey,
        class: &'r ShapeClass,
        may_use: &[ClosureId],
    ) -> ClassRun<'r> {
        let (shape, queue, program) = (&of.shape, of.queue, of.program.as_ref());
        let lanes = self.stands.first().map_or(&[][..], |stand| &stand.lanes);
        let lane = lanes.iter().position(|lane| lane.may_use == may_use).unwrap_or(0);
        let (mut stands, mut silent) = (Vec::with_capacity(class.offers.len()), Vec::new());
        let mut closed = Vec::new();
        let mut open = Vec::with_capacity(class.offers.len());
        let mut place = 0;
        for (index, offer) in class.offers.iter().enumerate() {
            // Offers and stands are both in the order of clusters.
            while self.stands[place].id < offer.cluster {
                place += 1;
            }
            let stand = &self.stands[place];
            stands.push(place as u32);
            let floor = &stand.lanes[lane].floors[offer.pool as usize];
            if stand.view.contact == Contact::Silent {
                silent.push(index);
            } else if let Some(start) = floor.start(self.now, &shape.per_node, shape.nodes) {
                let score = score(shape.goal, offer, start, &class.yardstick);
                open.push(Reverse(Entry { score, offer: index as u32, round: 0 }));
            } else {
                closed.push(index);
            }
        }
        let open = open.into();
        ClassRun { shape, class, queue, program, stands, open, silent, closed, lane, round: 0 }
    }

    pub(crate) fn view(&self, run: &ClassRun<'_>, offer: usize) -> &'a ClusterView {
        self.stand(run, offer).view
    }

    pub(crate) fn stand_mut(&mut self, run: &ClassRun<'_>, offer: usize) -> &mut Stand<'a> {
        &mut self.stands[run.stands[offer] as usize]
    }

    /// Notes that an allocation is stopped in this cycle.
    pub(crate) fn stopped_at(&mut self, cluster: ClusterId, id: AllocationId) {
        let place = self.stands.binary_search_by_key(&cluster, |stand| stand.id);
        let stand = &mut self.stands[place.expect("what runs is on a known cluster")];
        let running = &stand.view.running[&id];
        for &node in &running.nodes {
            let Some(about) = stand.view.inventory.nodes.get(node as usize) else { continue };
            let amount = running.amount_on(&about.capacity);
            let soon = &mut stand.soon[node as usize];
            *soon = soon.plus(&amount);
        }
        stand.stopped.push(id);
    }

    pub(crate) fn stand(&self, run: &ClassRun<'_>, offer: usize) -> &Stand<'a> {
        &self.stands[run.stands[offer] as usize]
    }

    /// The best `keep` offers for a job, best first.
    ///
    /// Offers are looked at in the order of the best score they could still have, so most are
    /// never fitted: O(log offers) and one fit for each offer that might be among the best.
    pub(crate) fn rank(&self, run: &mut ClassRun<'_>, own: Own<'_>, keep: usize) -> Ranking {
        let mut ranking = Ranking { silent: run.silent.clone(), ..Ranking::default() };
        run.round += 1;
        let mut passed: Vec<Reverse<Entry>> = Vec::new();
        while ranking.choices.len() < keep {
            let Some(Reverse(entry)) = run.open.pop() else { break };
            let offer = entry.offer as usize;
            let about = &run.class.offers[offer];
            if own.refused_by.contains(&about.cluster) {
                ranking.refused.push(offer);
                passed.push(Reverse(entry));
                continue;
            }
            if entry.round == run.round {
                ranking.choices.push(Choice { offer, start: entry.score.start() });
                passed.push(Reverse(entry));
                continue;
            }
            if let Some(short) = self.shortage(run, offer) {
                ranking.rationed.push(short);
                passed.push(Reverse(entry));
                continue;
            }
            let Some(start) = self.fit(run, offer) else {
                run.closed.push(offer);
                continue;
            };
            let score = score(run.shape.goal, about, start, &run.class.yardstick);
            let entry = Reverse(Entry { score, offer: entry.offer, round: run.round });
            if own.deadline.is_some_and(|deadline| start.plus(about.length()) > deadline) {
                ranking.late.push(Choice { offer, start });
                passed.push(entry);
            } else {
                run.open.push(entry);
            }
        }
        run.open.extend(passed);
        ranking.closed.clone_from(&run.closed);
        ranking
    }

    /// Earliest start of an offer that keeps every promise.
    pub(crate) fn fit(&self, run: &ClassRun<'_>, offer: usize) -> Option<Timestamp> {
        let about = &run.class.offers[offer];
        let stand = self.stand(run, offer);
        let lane = &stand.lanes[run.lane];
        let floor = &lane.floors[about.pool as usize];
        let nodes = floor.nodes(self.now, &run.shape.per_node, run.shape.nodes);
        let allowed = |node: u32| {
            about.picked.as_ref().is_none_or(|some| some.nodes.binary_search(&node).is_ok())
        };
        earliest_gang(
            &lane.lines,
            nodes.filter(|&(_, node)| allowed(node)),
            &need(run.shape, about),
            |node| amount_on(run.shape, &stand.view.inventory.nodes[node as usize].capacity),
        )
    }

    /// The nodes an offer may choose from.
    pub(crate) fn nodes<'o>(&self, offer: &'o Offer) -> &'o [u32]
    where
        'a: 'o,
    {
        match &offer.picked {
            Some(picked) => &picked.nodes,
            None => &self.snapshot.catalog.pools(offer.cluster)[offer.pool as usize].nodes,
        }
    }

    /// Whether any reachable offer could start now, whatever its score.
    pub(crate) fn any_now(&self, run: &ClassRun<'_>) -> bool {
        run.open.iter().any(|Reverse(entry)| {
            let offer = entry.offer as usize;
            entry.score.start() == self.now
                && self.shortage(run, offer).is_none()
                && self.fit(run, offer) == Some(self.now)
        })
    }

    /// Whether enough is free now for an offer if no promise is counted.
    pub(crate) fn free_now(&self, run: &ClassRun<'_>, offer: usize) -> bool {
        let about = &run.class.offers[offer];
        self.count_free_now(run, offer) >= run.shape.nodes as usize
            && about.required().iter().all(|&node| self.is_free_now(run, offer, node))
    }

    /// How many of an offer's nodes are free now if no promise is counted.
    pub(crate) fn count_free_now(&self, run: &ClassRun<'_>, offer: usize) -> usize {
        let nodes = self.nodes(&run.class.offers[offer]).iter();
        nodes.filter(|&&node| self.is_free_now(run, offer, node)).count()
    }

    /// Whether enough is free now that stays open for as long as a job may hold it, if no promise
    /// is counted.
    pub(crate) fn available_now(&self, run: &ClassRun<'_>, offer: usize) -> bool {
        let about = &run.class.offers[offer];
        let stays = |node: &&u32| {
            self.is_free_now(run, offer, **node) && self.closure(run, offer, **node).is_none()
        };
        self.nodes(about).iter().filter(stays).count() >= run.shape.nodes as usize
            && about.required().iter().all(|node| stays(&node))
    }

    /// A closure that lies in the way of a start now on a node.
    pub(crate) fn closure(
        &self,
        run: &ClassRun<'_>,
        offer: usize,
        node: u32,
    ) -> Option<&'a Closure> {
        let stand = self.stand(run, offer);
        let may_use = stand.lanes[run.lane].may_use;
        let hold = run.class.offers[offer].hold();
        stand.view.closures(node, may_use).find(|closure| closure.meets(self.now, hold))
    }

    fn is_free_now(&self, run: &ClassRun<'_>, offer: usize, node: u32) -> bool {
        let stand = self.stand(run, offer);
        let capacity = &stand.view.inventory.nodes[node as usize].capacity;
        stand.free[node as usize].covers(&amount_on(run.shape, capacity))
    }

    /// Whether a job goes to its site now: its nodes are free, or it may wait for them there.
    pub(crate) fn goes_now(&self, run: &ClassRun<'_>, choice: Choice) -> bool {
        choice.start == self.now || self.stand(run, choice.offer).backlog_left > 0
    }

    /// Takes the nodes of a job that goes to its site.
    pub(crate) fn send(&mut self, run: &ClassRun<'_>, choice: Choice, rule: Rule) -> Vec<u32> {
        let chosen = self.take(run, choice, rule);
        self.count(run, choice.offer, &chosen);
        let stand = self.stand_mut(run, choice.offer);
        stand.backlog_left = stand.backlog_left.saturating_sub(1);
        chosen
    }

    /// Takes the nodes of a job that is promised its start: nothing passes it in its site's queue.
    pub(crate) fn promise(&mut self, run: &ClassRun<'_>, choice: Choice) {
        let chosen = self.take(run, choice, Rule::Settled);
        if choice.start == self.now {
            self.count(run, choice.offer, &chosen);
        }
        self.stand_mut(run, choice.offer).backlog_left = 0;
    }

    /// Takes the nodes of a choice from its start for as long as it may hold them.
    fn take(&mut self, run: &ClassRun<'_>, choice: Choice, rule: Rule) -> Vec<u32> {
        let about = &run.class.offers[choice.offer];
        let nodes = self.nodes(about).iter().copied();
        let stand = &mut self.stands[run.stands[choice.offer] as usize];
        let view = stand.view;
        let seat = |node: u32| {
            let capacity = view.inventory.nodes[node as usize].capacity;
            Seat { amount: amount_on(run.shape, &capacity), capacity }
        };
        let need = need(run.shape, about);
        let own = &stand.lanes[run.lane].lines;
        let chosen = gang::choose(own, nodes, &need, choice.start, rule, seat)
            .expect("a fitted gang has its nodes");
        for &node in &chosen {
            let amount = seat(node).amount;
            for (number, lane) in stand.lanes.iter_mut().enumerate() {
                let line = &mut lane.lines[node as usize];
                match number == run.lane {
                    true => line.take(choice.start, &amount, need.hold),
                    false => line.take_from_what_is_left(choice.start, &amount, need.hold),
                }
            }
            if choice.start == self.now {
                let free = &mut stand.free[node as usize];
                *free = free.checked_sub(&amount).expect("a start now is free now");
                if let Some(soon) = stand.soon.get_mut(node as usize) {
                    *soon = soon.less(&amount);
                }
            }
        }
        chosen
    }

    /// The line and capacity of a node of an offer's cluster.
    pub(crate) fn node(&self, run: &ClassRun<'_>, offer: usize, node: u32) -> (&NodeLine, Tres) {
        let stand = self.stand(run, offer);
        (
            &stand.lanes[run.lane].lines[node as usize],
            stand.view.inventory.nodes[node as usize].capacity,
        )
    }
}

/// What a shape needs of an offer's nodes.
pub(crate) fn need<'o>(shape: &Shape, offer: &'o Offer) -> Need<'o> {
    Need { count: shape.nodes as usize, hold: offer.hold(), required: offer.required() }
}

/// Whether any job may stop another one.
fn is_preempting(snapshot: &Snapshot, policy: &Policy) -> bool {
    let mut privileged = snapshot.privileged.iter();
    policy.preemptions_max > 0
        && (snapshot.quotas.as_ref().is_some_and(|book| book.takes_back())
            || privileged.any(|key| !snapshot.pending[key].may_preempt.is_empty()))
}

/// What is free now, is past its limit or is to be stopped, on each node, less what those get who
/// wait for it in the site's own queue.
fn soon(view: &ClusterView, now: Timestamp) -> Vec<Tres> {
    let mut soon = view.free.clone();
    let ending = |one: &&Running| one.ending == Ending::Stopping || one.ends_by <= now;
    for running in view.running.values().filter(ending) {
        for &node in &running.nodes {
            let Some(about) = view.inventory.nodes.get(node as usize) else { continue };
            let amount = running.amount_on(&about.capacity);
            soon[node as usize] = soon[node as usize].plus(&amount);
        }
    }
    for (soon, owed) in soon.iter_mut().zip(&view.owed) {
        *soon = soon.less(owed);
    }
    soon
}

/// What jobs may use: everybody nothing, and then whatever some job may. Only where there are
/// closures is anything looked up.
fn users_of_closures(snapshot: &Snapshot) -> Vec<&[ClosureId]> {
    let mut users: BTreeSet<&[ClosureId]> = BTreeSet::from([&[][..]]);
    if snapshot.clusters.values().any(|view| !view.closures.is_empty()) {
        let privileged = snapshot.privileged.iter();
        users.extend(privileged.map(|key| snapshot.pending[key].may_use.as_slice()));
    }
    users.into_iter().collect()
}
