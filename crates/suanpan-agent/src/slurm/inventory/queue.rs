//! What waits in a site's queue, and what that takes from those who come after.
//!
//! A job that somebody submitted directly at the site and that waits for nodes gets them before one
//! of ours that is submitted now, in the order of Slurm's queue. So what the running jobs of others
//! give back is first given to those that wait, and counts as given back when these end by their
//! time limits (list scheduling in the order of the queue, without backfilling: Graham, Bounds on
//! multiprocessing timing anomalies, 1969). Where Slurm foretells a start, it is not before that.

use super::super::desk::Machines;
use super::super::parse::{PartitionRow, WaitingRow};
use std::collections::BTreeMap;
use suanpan_model::memory::Mebibytes;
use suanpan_model::site::{Node, PartitionQueue, RELEASES_MAX, Release};
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_model::tres::Tres;

/// Waiting jobs of others that are followed; what is behind them comes too late to matter.
const FOLLOWED_MAX: usize = 200;

fn timestamp(seconds: u64) -> Timestamp {
    Timestamp(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000))
}

/// What waits for a partition; of its own jobs the network knows.
pub(super) fn of_partition(name: &str, machines: &Machines) -> PartitionQueue {
    let mut queue = PartitionQueue::default();
    for row in machines.waiting.iter().filter(|row| row.partitions.iter().any(|one| one == name)) {
        queue.others += 1;
        queue.last_start = queue.last_start.max(row.starts_s.map(timestamp));
    }
    queue
}

/// Gives what is given back on the nodes to those that wait for it already. Costs O(jobs · nodes)
/// for the jobs that are followed.
pub(super) fn wait_behind(
    nodes: &mut [Node],
    offered: &[&PartitionRow],
    index_of: &BTreeMap<&str, u32>,
    machines: &Machines,
) {
    for row in machines.waiting.iter().take(FOLLOWED_MAX) {
        let of_row = offered.iter().filter(|one| row.partitions.contains(&one.name));
        let mut members: Vec<usize> = of_row
            .flat_map(|one| &one.nodes)
            .filter_map(|name| index_of.get(name.as_str()).map(|index| *index as usize))
            .collect();
        members.sort_unstable();
        members.dedup();
        place(nodes, &members, row);
    }
}

/// Lets one waiting job have those of the nodes that are free for it first.
fn place(nodes: &mut [Node], members: &[usize], row: &WaitingRow) {
    let count = row.nodes.max(1);
    let need_of = |node: &Node| {
        let cpus = row.cpus.div_ceil(count);
        let share = node.capacity.memory.get() * u64::from(cpus);
        let memory = Mebibytes::new(share / u64::from(node.capacity.cpus.max(1)));
        Tres { cpus, memory, gpus: row.gpus }
    };
    let free_at =
        |index: &usize| Some((free_at(&nodes[*index], &need_of(&nodes[*index]))?, *index));
    let mut free: Vec<(Timestamp, usize)> = members.iter().filter_map(free_at).collect();
    free.sort_unstable();
    let chosen = free.get(..count as usize);
    let Some(&[.., (last, _)]) = chosen else { return };
    let start = last.max(row.starts_s.map_or(Timestamp::default(), timestamp));
    let end = row.limit.map(|limit| start.plus(Seconds(limit.seconds().into())));
    for (_, index) in chosen.unwrap_or_default() {
        let need = need_of(&nodes[*index]);
        delay(&mut nodes[*index], &need, start, end);
    }
}

/// When a node has so much for others than its running jobs: the beginning of time if it has now,
/// nothing if that is not known.
fn free_at(node: &Node, need: &Tres) -> Option<Timestamp> {
    let mut free = node.capacity.less(&node.outside);
    if free.covers(need) {
        return Some(Timestamp::default());
    }
    node.releases.iter().find_map(|release| {
        free = free.plus(&release.amount);
        free.covers(need).then_some(release.at)
    })
}

/// What a waiting job needs beyond what is free now is given back when it ends, and not when it
/// starts.
fn delay(node: &mut Node, need: &Tres, start: Timestamp, end: Option<Timestamp>) {
    let mut missing = need.less(&node.capacity.less(&node.outside));
    let mut taken = Tres::default();
    for release in node.releases.iter_mut().filter(|release| release.at <= start).rev() {
        let part = release.amount.less(&release.amount.less(&missing));
        release.amount = release.amount.less(&part);
        missing = missing.less(&part);
        taken = taken.plus(&part);
    }
    node.releases.retain(|release| release.amount != Tres::default());
    let Some(end) = end.filter(|_| taken != Tres::default()) else { return };
    let at = node.releases.partition_point(|release| release.at <= end);
    node.releases.insert(at, Release { at: end, amount: taken });
    if node.releases.len() > RELEASES_MAX
        && let Some(Release { at, amount }) = node.releases.pop()
        && let Some(last) = node.releases.last_mut()
    {
        *last = Release { at, amount: last.amount.plus(&amount) };
    }
}
