//! Starts that cannot be beaten: for each pool, when how much is free on which nodes if nothing
//! new is started or promised.
//!
//! A cycle asks for the earliest start of about a thousand shapes in every pool. Most pools are
//! out of the question for a shape, and in the others most nodes are; a lower bound is enough to
//! see both. On each node the time at which a resource first reaches a threshold is one number:
//! what runs only ever ends, and what a closure takes away later makes no start earlier. Sorted
//! over a pool, the n-th of them bounds a gang of n, and nodes tried in that order can be left off
//! at the first that is too late.
//!
//! Thresholds are 1, 2, 3, 4, 6, 8, 12, 16, ... (half steps of powers of two) for CPUs and GPUs,
//! and powers of two of a gibibyte for memory, which is seldom the scarcest. Laying a pool of
//! `n` nodes with `s` steps out takes O(n s + t n log n) for `t` thresholds; a question O(1).

use crate::timeline::NodeLine;
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_model::tres::Tres;

#[cfg(test)]
mod tests;

/// Whole seconds from now, rounded down, before which a node does not have an amount free; and
/// the node. Small, because a cycle reads these all over the network.
type Reach = (u32, u32);

const NEVER: u32 = u32::MAX;

/// The bounds of one pool.
pub(super) struct Floor {
    cpus: Table,
    gibibytes: Table,
    gpus: Table,
}

/// For each threshold of one resource, when each node reaches it, sorted.
struct Table {
    scale: Scale,
    nodes: usize,
    reached: Vec<Reach>,
}

impl Floor {
    /// The bounds of a pool whose lines hold nothing but what runs.
    pub(super) fn new(now: Timestamp, lines: &[NodeLine], nodes: &[u32]) -> Floor {
        Floor {
            cpus: Table::new(Scale::Halves, now, lines, nodes, |tres| tres.cpus.into()),
            gibibytes: Table::new(Scale::Doubles, now, lines, nodes, gibibytes),
            gpus: Table::new(Scale::Halves, now, lines, nodes, |tres| tres.gpus.into()),
        }
    }

    /// The nodes in the order of when they could take this amount at the earliest, by the
    /// resource that keeps a gang of `count` waiting longest; none if there can be no such gang.
    pub(super) fn nodes(
        &self,
        now: Timestamp,
        amount: &Tres,
        count: u32,
    ) -> impl Iterator<Item = (Timestamp, u32)> + Clone {
        let row = self.slowest(amount, count).iter();
        row.take_while(|reach| reach.0 != NEVER).map(move |reach| (since(now, reach), reach.1))
    }

    /// A start that `count` nodes with this amount each cannot beat; `None` if they never can.
    pub(super) fn start(&self, now: Timestamp, amount: &Tres, count: u32) -> Option<Timestamp> {
        let place = (count as usize).checked_sub(1)?;
        self.slowest(amount, count).get(place).map(|reach| since(now, reach))
    }

    fn slowest(&self, amount: &Tres, count: u32) -> &[Reach] {
        let rows = [
            self.cpus.row(amount.cpus.into()),
            self.gibibytes.row(gibibytes(amount)),
            self.gpus.row(amount.gpus.into()),
        ];
        let place = (count as usize).saturating_sub(1);
        let last = |row: &&[Reach]| row.get(place).map_or(NEVER, |reach| reach.0);
        let slowest = rows.into_iter().max_by_key(last).unwrap_or_default();
        if last(&slowest) == NEVER { &[] } else { slowest }
    }
}

fn seconds_until(now: Timestamp, at: Timestamp) -> u32 {
    let seconds = at.micros_since(now) / 1_000_000;
    u32::try_from(seconds).map_or(NEVER - 1, |seconds| seconds.min(NEVER - 1))
}

fn since(now: Timestamp, reach: &Reach) -> Timestamp {
    now.plus(Seconds(reach.0.into()))
}

fn gibibytes(tres: &Tres) -> u64 {
    tres.memory.get() >> 10
}

/// How close thresholds are.
#[derive(Clone, Copy)]
enum Scale {
    /// 1, 2, 3, 4, 6, 8, ...
    Halves,
    /// 1, 2, 4, 8, ...
    Doubles,
}

impl Scale {
    /// Index of the largest threshold that is not above `amount`, which is not zero.
    fn threshold(self, amount: u64) -> usize {
        let power = amount.ilog2() as usize;
        match self {
            Scale::Doubles => power,
            Scale::Halves if power == 0 => 0,
            Scale::Halves => 2 * power - 1 + (amount >> (power - 1) & 1) as usize,
        }
    }

    /// The threshold with this index.
    fn amount(self, index: usize) -> u64 {
        match self {
            Scale::Doubles => 1 << index,
            Scale::Halves if index == 0 => 1,
            Scale::Halves => (2 + (index as u64 + 1) % 2) << index.div_ceil(2) >> 1,
        }
    }
}

impl Table {
    fn new(
        scale: Scale,
        now: Timestamp,
        lines: &[NodeLine],
        nodes: &[u32],
        of: impl Fn(&Tres) -> u64,
    ) -> Table {
        let line = |node: &u32| &lines[*node as usize];
        let most = nodes.iter().map(|node| line(node).most(&of)).max();
        let thresholds = most.filter(|&most| most > 0).map_or(0, |most| scale.threshold(most) + 1);
        // The row after the last threshold is for asking nothing: all nodes, at once.
        let mut reached = vec![(NEVER, 0); (thresholds + 1) * nodes.len()];
        for (place, &node) in nodes.iter().enumerate() {
            let mut row = 0;
            for entry in reached.iter_mut().skip(place).step_by(nodes.len()) {
                entry.1 = node;
            }
            line(&node).rises(|at, free| {
                while row < thresholds && of(&free) >= scale.amount(row) {
                    reached[row * nodes.len() + place].0 = seconds_until(now, at);
                    row += 1;
                }
            });
            reached[thresholds * nodes.len() + place].0 = 0;
        }
        for row in reached.chunks_exact_mut(nodes.len().max(1)) {
            row.sort_unstable();
        }
        Table { scale, nodes: nodes.len(), reached }
    }

    /// When each node has this amount free, in the order of time.
    fn row(&self, amount: u64) -> &[Reach] {
        let last = (self.reached.len() / self.nodes.max(1)).saturating_sub(1);
        let row = if amount == 0 { last } else { self.scale.threshold(amount) };
        if amount > 0 && row >= last {
            return &[];
        }
        &self.reached[row * self.nodes..(row + 1) * self.nodes]
    }
}
