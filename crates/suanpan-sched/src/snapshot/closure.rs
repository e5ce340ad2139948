//! Nodes taken off for a time: drains and advance reservations.

use crate::snapshot::ClusterView;
use serde::{Deserialize, Serialize};
use suanpan_model::time::{Seconds, Timestamp};

/// Number of a closure; never used twice.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ClosureId(pub u64);

/// Nodes on which nothing new runs from a time to a time, except jobs that may use the closure
/// ([`crate::snapshot::Pending::may_use`]). What runs there already goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closure {
    /// Its number.
    pub id: ClosureId,
    /// What it is.
    pub kind: ClosureKind,
    /// Names of the nodes. Names that the inventory does not have wait until it does.
    pub nodes: Vec<String>,
    /// From when.
    pub from: Timestamp,
    /// Until when; without an end it lasts until it is undone.
    #[serde(default = "never", skip_serializing_if = "is_never")]
    pub until: Timestamp,
    /// Why, in its maker's words; of a reservation its name.
    pub reason: String,
}

/// What a closure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosureKind {
    /// Taken out of service.
    Drain,
    /// Kept for some.
    Reservation,
}

fn never() -> Timestamp {
    Timestamp::MAX
}

fn is_never(until: &Timestamp) -> bool {
    *until == Timestamp::MAX
}

impl Closure {
    /// Whether it lies in the way of something that holds a node from `start` for `hold`.
    #[must_use]
    pub fn meets(&self, start: Timestamp, hold: Seconds) -> bool {
        self.from < start.plus(hold) && start < self.until
    }

    /// `drained: new disks`, `reserved: course`.
    #[must_use]
    pub fn words(&self) -> String {
        match self.kind {
            ClosureKind::Drain => format!("drained: {}", self.reason),
            ClosureKind::Reservation => format!("reserved: {}", self.reason),
        }
    }
}

impl ClusterView {
    /// The closures of a node that bind a job which may use `may_use`.
    pub(crate) fn closures<'v>(
        &'v self,
        node: u32,
        may_use: &'v [ClosureId],
    ) -> impl Iterator<Item = &'v Closure> + 'v {
        let here = self.closed.get(node as usize).map_or(&[][..], Vec::as_slice);
        here.iter().filter(|id| !may_use.contains(id)).map(|id| &self.closures[id])
    }

    pub(crate) fn close(&mut self, closure: Closure) {
        self.closures.insert(closure.id, closure);
        self.count_closed();
    }

    pub(crate) fn open(&mut self, id: ClosureId) {
        if self.closures.remove(&id).is_some() {
            self.count_closed();
        }
    }

    /// Finds the nodes of all closures: O(nodes + names of closures * log).
    pub(super) fn count_closed(&mut self) {
        self.closed.clear();
        if self.closures.is_empty() {
            return;
        }
        self.closed.resize(self.inventory.nodes.len(), Vec::new());
        for (id, closure) in &self.closures {
            let mut names: Vec<&str> = closure.nodes.iter().map(String::as_str).collect();
            names.sort_unstable();
            for (node, closed) in self.inventory.nodes.iter().zip(&mut self.closed) {
                if names.binary_search(&node.name.as_str()).is_ok() {
                    closed.push(*id);
                }
            }
        }
    }
}
