//! Starts that cannot be beaten: for each pool, when how much is free on how many nodes if nothing
//! new is started or promised.
//!
//! A cycle asks for the earliest start of about a thousand shapes in every pool. Most pools are
//! out of the question for a shape, and a lower bound is enough to see that. What runs only ever
//! ends, so on each node the free amount of each resource rises with time; the time it reaches a
//! threshold is one number, and the n-th smallest over a pool bounds a gang of n.
//!
//! Thresholds are 1, 2, 3, 4, 6, 8, 12, 16, ... (half steps of powers of two). Laying a pool of
//! `n` nodes with `s` steps out takes O(n s + t n log n) for `t` thresholds; a question O(1).

use crate::timeline::NodeLine;
use suanpan_model::time::Timestamp;
use suanpan_model::tres::Tres;

/// The bounds of one pool.
pub(super) struct Floor {
    cpus: Table,
    gibibytes: Table,
    gpus: Table,
}

/// For each threshold of one resource, when each node reaches it, sorted.
struct Table {
    nodes: usize,
    times: Vec<Timestamp>,
}

impl Floor {
    /// The bounds of a pool whose lines hold nothing but what runs.
    pub(super) fn new(lines: &[NodeLine], nodes: &[u32]) -> Floor {
        Floor {
            cpus: Table::new(lines, nodes, |tres| tres.cpus.into()),
            gibibytes: Table::new(lines, nodes, gibibytes),
            gpus: Table::new(lines, nodes, |tres| tres.gpus.into()),
        }
    }

    /// A start that `count` nodes with this amount each cannot beat; `None` if they never can.
    pub(super) fn start(&self, now: Timestamp, amount: &Tres, count: u32) -> Option<Timestamp> {
        let cpus = self.cpus.start(amount.cpus.into(), count);
        let memory = self.gibibytes.start(gibibytes(amount), count);
        let gpus = self.gpus.start(amount.gpus.into(), count);
        let latest = cpus.max(memory).max(gpus).max(now);
        (latest < Timestamp::MAX).then_some(latest)
    }
}

fn gibibytes(tres: &Tres) -> u64 {
    tres.memory.get() >> 10
}

/// Index of the largest threshold that is not above `amount`, which is not zero.
fn threshold(amount: u64) -> usize {
    let power = amount.ilog2();
    let half = if power == 0 { 0 } else { amount >> (power - 1) & 1 };
    2 * power as usize + half as usize
}

/// The least amount with this index. Index 1, between 1 and 2, is never asked.
fn amount_at(index: usize) -> u64 {
    let power = 1u64 << (index / 2);
    if index % 2 == 1 { power + power / 2 } else { power }
}

impl Table {
    fn new(lines: &[NodeLine], nodes: &[u32], of: impl Fn(&Tres) -> u64) -> Table {
        let line = |node: &u32| &lines[*node as usize];
        let most = nodes.iter().map(|node| of(&line(node).free_at(Timestamp::MAX))).max();
        let thresholds = most.filter(|&most| most > 0).map_or(0, |most| threshold(most) + 1);
        let mut times = vec![Timestamp::MAX; thresholds * nodes.len()];
        for (place, node) in nodes.iter().enumerate() {
            let mut reached = 0;
            line(node).rises(|at, free| {
                while reached < thresholds && of(&free) >= amount_at(reached) {
                    times[reached * nodes.len() + place] = at;
                    reached += 1;
                }
            });
        }
        for row in times.chunks_exact_mut(nodes.len().max(1)) {
            row.sort_unstable();
        }
        Table { nodes: nodes.len(), times }
    }

    fn start(&self, amount: u64, count: u32) -> Timestamp {
        if amount == 0 {
            return Timestamp(i64::MIN);
        }
        let Some(place) = (count as usize).checked_sub(1) else { return Timestamp(i64::MIN) };
        if place >= self.nodes {
            return Timestamp::MAX;
        }
        let at = self.times.get(threshold(amount) * self.nodes + place);
        at.copied().unwrap_or(Timestamp::MAX)
    }
}
