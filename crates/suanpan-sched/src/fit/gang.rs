//! Choosing the nodes of a start.

use crate::timeline::{Need, NodeLine};
use suanpan_model::time::Timestamp;
use suanpan_model::tres::Tres;

/// The nodes to take at `start`: all that must be among them, then those on which least is left
/// (GPUs, then CPUs, then memory), ties by index. All or nothing; in rising order, which is the
/// order of ranks.
pub fn choose(
    lines: &[NodeLine],
    nodes: impl Iterator<Item = u32>,
    need: &Need<'_>,
    start: Timestamp,
    amount_on: impl Fn(u32) -> Tres,
) -> Option<Vec<u32>> {
    let mut fitting: Vec<(bool, u32, u32, u64, u32)> = Vec::new();
    for node in nodes {
        let line = &lines[node as usize];
        let amount = amount_on(node);
        if !line.fits_at(start, &amount, need.hold) {
            continue;
        }
        let left = line.free_at(start).checked_sub(&amount).expect("it was found to fit");
        let optional = need.required.binary_search(&node).is_err();
        fitting.push((optional, left.gpus, left.cpus, left.memory.get(), node));
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
