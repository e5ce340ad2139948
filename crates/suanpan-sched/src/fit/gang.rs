//! Choosing the nodes of a start.

use crate::timeline::{Need, NodeLine};
use suanpan_model::time::Timestamp;
use suanpan_model::tres::Tres;

#[cfg(test)]
mod tests;

/// Which of the fitting nodes are taken; ties always by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The smallest nodes first (GPUs, then CPUs, then memory of the whole node). The choice
    /// depends on nothing that later jobs do, so a promise that is made again in the next cycle
    /// falls on the same nodes and pushes no other promise away.
    Settled,
    /// Those on which least is left free. Packs more tightly; for starts that keep clear of every
    /// promise and have none themselves.
    BestFit,
}

/// A node as the choice sees it.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    /// What the job takes there.
    pub amount: Tres,
    /// What the node has.
    pub capacity: Tres,
}

/// The nodes to take at `start`: all that must be among them, then by the rule. All or nothing;
/// in rising order, which is the order of ranks.
pub fn choose(
    lines: &[NodeLine],
    nodes: impl Iterator<Item = u32>,
    need: &Need<'_>,
    start: Timestamp,
    rule: Rule,
    seat: impl Fn(u32) -> Seat,
) -> Option<Vec<u32>> {
    let mut fitting: Vec<(bool, u32, u32, u64, u32)> = Vec::new();
    for node in nodes {
        let line = &lines[node as usize];
        let Seat { amount, capacity } = seat(node);
        if !line.fits_at(start, &amount, need.hold) {
            continue;
        }
        let size = match rule {
            Rule::Settled => capacity,
            Rule::BestFit => line.free_at(start).checked_sub(&amount).expect("it was found to fit"),
        };
        let optional = need.required.binary_search(&node).is_err();
        fitting.push((optional, size.gpus, size.cpus, size.memory.get(), node));
    }
    let required = fitting.iter().filter(|entry| !entry.0).count();
    if fitting.len() < need.count || required < need.required.len() {
        return None;
    }
    if fitting.len() > need.count {
        fitting.select_nth_unstable(need.count - 1);
        fitting.truncate(need.count);
    }
    let mut chosen: Vec<u32> = fitting.into_iter().map(|entry| entry.4).collect();
    chosen.sort_unstable();
    Some(chosen)
}
