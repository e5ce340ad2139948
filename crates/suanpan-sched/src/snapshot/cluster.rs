//! One cluster as the scheduler sees it: what it has, what is taken, and what may wait there.

use super::{Closure, ClosureId, Contact, Running};
use crate::timeline::NodeLine;
use std::collections::BTreeMap;
use std::sync::Arc;
use suanpan_model::id::AllocationId;
use suanpan_model::site::{Inventory, Node};
use suanpan_model::time::Timestamp;
use suanpan_model::tres::Tres;

/// One cluster: what it has and what is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterView {
    /// What its agent says it has.
    pub inventory: Arc<Inventory>,
    /// Whether its agent is in contact.
    pub contact: Contact,
    /// Free amount of each node, in the order of `inventory.nodes`.
    pub free: Vec<Tres>,
    /// What is taken of each node beyond its room: by jobs that wait in the site's own queue, or
    /// since an inventory that left less.
    pub(crate) owed: Vec<Tres>,
    /// What runs there.
    pub running: BTreeMap<AllocationId, Running>,
    /// What is taken on each node, by end.
    taken: Vec<Vec<Taken>>,
    /// Drains and reservations.
    pub closures: BTreeMap<ClosureId, Closure>,
    /// Those of each node; empty where there are none.
    pub(super) closed: Vec<Vec<ClosureId>>,
}

/// A share of a node, until a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Taken {
    ends_by: Timestamp,
    allocation: AllocationId,
    amount: Tres,
}

impl ClusterView {
    /// A reachable cluster whose inventory is still to be taken in.
    pub(super) fn new(inventory: &Arc<Inventory>) -> ClusterView {
        ClusterView {
            inventory: Arc::clone(inventory),
            contact: Contact::Reachable,
            free: Vec::new(),
            owed: Vec::new(),
            running: BTreeMap::new(),
            taken: Vec::new(),
            closures: BTreeMap::new(),
            closed: Vec::new(),
        }
    }

    /// Takes in an inventory and works everything out from what runs.
    pub(super) fn set_inventory(&mut self, inventory: Arc<Inventory>) {
        self.inventory = inventory;
        self.taken = vec![Vec::new(); self.inventory.nodes.len()];
        self.free = self.inventory.nodes.iter().map(Node::room).collect();
        self.owed = vec![Tres::default(); self.free.len()];
        for (allocation, running) in std::mem::take(&mut self.running) {
            self.take(allocation, running);
        }
        self.count_closed();
    }

    pub(super) fn take(&mut self, allocation: AllocationId, running: Running) {
        for &node in &running.nodes {
            let Some(about) = self.inventory.nodes.get(node as usize) else { continue };
            let amount = running.amount_on(&about.capacity);
            let entry = Taken { ends_by: running.ends_by, allocation, amount };
            let taken = &mut self.taken[node as usize];
            let place = taken.partition_point(|other| *other < entry);
            taken.insert(place, entry);
            self.count_free(node as usize);
        }
        self.running.insert(allocation, running);
    }

    pub(super) fn free(&mut self, allocation: AllocationId) -> Option<Running> {
        let running = self.running.remove(&allocation)?;
        for &node in &running.nodes {
            let Some(taken) = self.taken.get_mut(node as usize) else { continue };
            taken.retain(|entry| entry.allocation != allocation);
            self.count_free(node as usize);
        }
        Some(running)
    }

    /// Free is the node's room less all that is taken; owed what is taken beyond it.
    fn count_free(&mut self, node: usize) {
        let taken = self.taken[node].iter();
        let used = taken.fold(Tres::default(), |sum, taken| sum.plus(&taken.amount));
        let room = self.inventory.nodes[node].room();
        (self.free[node], self.owed[node]) = (room.less(&used), used.less(&room));
    }

    /// When how much of a node is free, for jobs that may use these closures. What is past its
    /// limit is expected to end at `overdue_end`.
    pub(crate) fn line(
        &self,
        node: u32,
        may_use: &[ClosureId],
        now: Timestamp,
        overdue_end: Timestamp,
    ) -> NodeLine {
        let mut line = self.line_of_all(node as usize, now, overdue_end);
        for closure in self.closures(node, may_use) {
            line.close(closure.from, closure.until);
        }
        line
    }

    /// The line with nothing closed.
    fn line_of_all(&self, node: usize, now: Timestamp, overdue_end: Timestamp) -> NodeLine {
        let (free, owed) = (self.free[node], self.owed[node]);
        // An allocation past its limit is still there: it is expected to end soon, not already.
        let taken = &self.taken[node];
        let overdue = taken.partition_point(|entry| entry.ends_by <= now);
        let (late, other) = taken.split_at(overdue);
        let soon = other.partition_point(|entry| entry.ends_by <= overdue_end);
        let ends = other[..soon]
            .iter()
            .map(|entry| (entry.ends_by, entry.amount))
            .chain(late.iter().map(|entry| (overdue_end, entry.amount)))
            .chain(other[soon..].iter().map(|entry| (entry.ends_by, entry.amount)));
        let releases = self.inventory.nodes.get(node).map_or(&[][..], |node| &node.releases);
        if releases.is_empty() {
            return NodeLine::new(now, free, owed, ends);
        }
        // So do jobs that came to the site another way.
        let outside = releases.iter().map(|one| match one.at <= now {
            true => (overdue_end, one.amount),
            false => (one.at, one.amount),
        });
        let mut all: Vec<(Timestamp, Tres)> = ends.chain(outside).collect();
        all.sort_by_key(|&(at, _)| at);
        NodeLine::new(now, free, owed, all.into_iter())
    }

    /// How many more jobs may wait in the site's own queue.
    pub(crate) fn backlog_left(&self) -> u32 {
        let waiting = self.running.values().filter(|running| !running.began);
        self.inventory.backlog_left(!self.closures.is_empty(), waiting)
    }
}
