//! From what Slurm says of its nodes and partitions, and what the site file says of flavors, to the
//! inventory that the control plane is told.
//!
//! What jobs that others submitted directly at the site use is taken from a node's room, and nodes
//! that take no jobs are closed: the network places nothing where Slurm would not start it. What
//! others' jobs wait for is theirs first ([`queue`]).

use super::desk::Machines;
use super::parse::{Gres, NodeRow, PartitionRow, Service};
use crate::sitefile::{FlavorRule, Site};
use anyhow::{Context as _, bail};
use std::collections::{BTreeMap, BTreeSet};
use suanpan_model::hostlist::Hostlist;
use suanpan_model::id::AllocationId;
use suanpan_model::memory::Mebibytes;
use suanpan_model::site::{Inventory, Node, Partition, PartitionQueue, RELEASES_MAX, Release};
use suanpan_model::time::Timestamp;
use suanpan_model::tres::Tres;
use suanpan_model::walltime::Walltime;

mod queue;
#[cfg(test)]
mod tests;

/// Limit of a partition that has none: a year, because a charge must have an end.
const UNLIMITED_DAYS: u32 = 365;

/// What the driver must know to submit into a partition for a flavor.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The generic resource of the flavor, whole, as the nodes have it: `gpu:h20`.
    pub gres: Option<String>,
    /// Features that Slurm knows there.
    pub features: Vec<String>,
    /// Nodes of the partition that have another flavor.
    pub avoid: Vec<String>,
    /// All nodes of the partition.
    pub members: Vec<String>,
}

/// The inventory.
///
/// # Errors
/// If no node of an offered partition fits a flavor, or the site file names a partition that is
/// not there.
pub fn inventory(
    site: &Site,
    machines: &Machines,
    per_node: &BTreeMap<AllocationId, Tres>,
) -> anyhow::Result<Inventory> {
    let offered = offered(site, machines)?;
    let mut inventory = site.inventory.clone();
    let mut index_of: BTreeMap<&str, u32> = BTreeMap::new();
    let ours = ours_on_nodes(machines, per_node);
    let others = others_on_nodes(machines);
    let mut rows: Vec<&NodeRow> = machines.nodes.iter().collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    for row in rows {
        let Some((flavor, gpus)) = flavor_of(site, row) else { continue };
        let mut of_node = offered.iter().filter(|one| one.nodes.contains(&row.name)).peekable();
        if of_node.peek().is_none() {
            continue;
        }
        let service = match of_node.any(|one| one.service == Service::Open) {
            true => row.service,
            false => Service::Closed,
        };
        index_of.insert(&row.name, u32::try_from(inventory.nodes.len()).unwrap_or(u32::MAX));
        let mut node = node(row, service, flavor, gpus, ours.get(&row.name));
        if service == Service::Open {
            let others = others.get(&row.name).map_or(&[][..], Vec::as_slice);
            node.releases = releases(&node.outside, others);
        }
        inventory.nodes.push(node);
    }
    queue::wait_behind(&mut inventory.nodes, &offered, &index_of, machines);
    for row in offered {
        let nodes: Vec<u32> =
            row.nodes.iter().filter_map(|name| index_of.get(name.as_str()).copied()).collect();
        if nodes.is_empty() {
            continue;
        }
        let queue = queue::of_partition(&row.name, machines);
        inventory.partitions.push(Partition { queue, ..partition(row, nodes) });
    }
    if let Some((field, value, right)) = inventory.problems().into_iter().next() {
        bail!("{field}: `{value}`: expected {right}: no node that Slurm offers fits a flavor");
    }
    Ok(inventory)
}

fn offered<'a>(site: &Site, machines: &'a Machines) -> anyhow::Result<Vec<&'a PartitionRow>> {
    let names = &site.slurm.partitions;
    for name in names {
        let known = || {
            let all = machines.partitions.iter().map(|row| row.name.as_str());
            all.collect::<Vec<_>>().join(", ")
        };
        machines
            .partitions
            .iter()
            .find(|row| row.name == *name)
            .with_context(|| format!("slurm.partitions: `{name}`: expected one of {}", known()))?;
    }
    let is_offered = |row: &&PartitionRow| names.is_empty() || names.contains(&row.name);
    Ok(machines.partitions.iter().filter(is_offered).collect())
}

/// Index of a node's flavor, and how many of its accelerators count.
fn flavor_of(site: &Site, row: &NodeRow) -> Option<(u16, u32)> {
    site.slurm.rules.iter().enumerate().find_map(|(index, rule)| {
        let gpus = fits(rule, row)?;
        Some((u16::try_from(index).ok()?, gpus))
    })
}

/// Accelerators of the rule's kind on a node; nothing if the rule is for other nodes.
fn fits(rule: &FlavorRule, row: &NodeRow) -> Option<u32> {
    if rule.feature.as_ref().is_some_and(|feature| !row.features.contains(feature)) {
        return None;
    }
    match &rule.gres {
        None => row.gres.is_empty().then_some(0),
        Some(gres) => {
            let count = count(gres, &row.gres);
            (count > 0).then_some(count)
        }
    }
}

fn count(gres: &str, all: &[Gres]) -> u32 {
    let (name, kind) = gres.split_once(':').unwrap_or((gres, ""));
    let is_meant = |one: &&Gres| one.name == name && (kind.is_empty() || one.kind == kind);
    all.iter().filter(is_meant).map(|one| one.count).sum()
}

fn node(row: &NodeRow, service: Service, flavor: u16, gpus: u32, ours: Option<&Tres>) -> Node {
    let memory = |mebibytes: u64| Mebibytes::new(mebibytes);
    let capacity = Tres { cpus: row.cpus, memory: memory(row.memory), gpus };
    let gpus_used: u32 = row.gres_used.iter().map(|one| one.count).sum();
    let used = Tres { cpus: row.cpus_used, memory: memory(row.memory_used), gpus: gpus_used };
    let outside = match service {
        Service::Closed => capacity,
        // Nothing outside is more than all of it, whatever a site lets its jobs share.
        Service::Open => {
            capacity.less(&capacity.less(&used.less(&ours.copied().unwrap_or_default())))
        }
    };
    let mut features = row.features.clone();
    // A job that asks for a kind of accelerator asks for a node that has it.
    features.extend(row.gres.iter().map(|one| one.kind.clone()).filter(|kind| !kind.is_empty()));
    features.sort();
    features.dedup();
    let (name, releases) = (row.name.clone(), Vec::new());
    Node { name, flavor, capacity, features, outside, releases }
}

/// A job of others on one node: when it ends at the latest, with its processors and accelerators
/// there.
type Other = (Option<u64>, u32, u32);

/// The jobs of others on each node.
fn others_on_nodes(machines: &Machines) -> BTreeMap<String, Vec<Other>> {
    let mut all: BTreeMap<String, Vec<Other>> = BTreeMap::new();
    for row in &machines.others {
        let Ok(nodes) = row.nodes.parse::<Hostlist>() else { continue };
        let names: Vec<String> = nodes.expand().into_iter().collect();
        let count = u32::try_from(names.len()).unwrap_or(u32::MAX).max(1);
        for name in names {
            all.entry(name).or_default().push((row.ends_s, row.cpus / count, row.gpus));
        }
    }
    all
}

/// When what others use of a node ends. Of memory, which `squeue` does not tell, each job has a
/// share as of the processors; with the last processor everything is given back, unless a job
/// without an end is among them.
fn releases(outside: &Tres, others: &[Other]) -> Vec<Release> {
    let mut ending: Vec<(u64, u32, u32)> =
        others.iter().filter_map(|&(ends, cpus, gpus)| Some((ends?, cpus, gpus))).collect();
    ending.sort_unstable();
    let for_ever = others.iter().any(|(ends, _, _)| ends.is_none());
    let (mut left, mut found) = (*outside, Vec::<Release>::new());
    for (ends, cpus, gpus) in ending {
        let share = outside.memory.get() * u64::from(cpus) / u64::from(outside.cpus.max(1));
        let part = Tres { cpus, memory: Mebibytes::new(share), gpus };
        let amount = match cpus >= left.cpus && !for_ever {
            true => left,
            false => left.less(&left.less(&part)),
        };
        left = left.less(&amount);
        let seconds = i64::try_from(ends).unwrap_or(i64::MAX);
        let at = Timestamp(seconds.saturating_mul(1_000_000));
        let is_full = found.len() >= RELEASES_MAX;
        match found.last_mut() {
            Some(last) if last.at == at || is_full => {
                *last = Release { at, amount: last.amount.plus(&amount) };
            }
            _ => found.push(Release { at, amount }),
        }
    }
    found.retain(|one| one.amount != Tres::default());
    found
}

/// What our own running jobs hold on each node.
fn ours_on_nodes(
    machines: &Machines,
    per_node: &BTreeMap<AllocationId, Tres>,
) -> BTreeMap<String, Tres> {
    let mut sums: BTreeMap<String, Tres> = BTreeMap::new();
    for (mark, nodes) in &machines.ours {
        let Some(amount) = per_node.get(&mark.allocation) else { continue };
        let Ok(nodes) = nodes.parse::<Hostlist>() else { continue };
        for name in nodes.expand() {
            let sum = sums.entry(name).or_default();
            *sum = sum.plus(amount);
        }
    }
    sums
}

fn partition(row: &PartitionRow, nodes: Vec<u32>) -> Partition {
    let unlimited =
        || Walltime::from_seconds(UNLIMITED_DAYS * 86_400).expect("a year is a time limit");
    let time = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<Walltime>().ok());
    let time_max = time(&row.time_max).unwrap_or_else(unlimited);
    let count = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
    Partition {
        name: row.name.clone(),
        default: row.default,
        time_max,
        time_default: time(&row.time_default).map_or(time_max, |time| time.min(time_max)),
        nodes_max_per_job: row.nodes_max.map_or(count, |most| most.clamp(1, count)),
        nodes,
        queue: PartitionQueue::default(),
    }
}

/// What must be known to submit into a partition for a flavor.
#[must_use]
pub fn place(site: &Site, machines: &Machines, partition: &str, flavor: &str) -> Place {
    let wanted = site.inventory.flavors.iter().position(|known| known.name == flavor);
    let row = machines.partitions.iter().find(|row| row.name == partition);
    let members: BTreeSet<&str> =
        row.map(|row| row.nodes.iter().map(String::as_str).collect()).unwrap_or_default();
    let mut place = Place::default();
    for node in machines.nodes.iter().filter(|node| members.contains(node.name.as_str())) {
        place.members.push(node.name.clone());
        let found = flavor_of(site, node).map(|(index, _)| usize::from(index));
        if found != wanted {
            place.avoid.push(node.name.clone());
            continue;
        }
        place.features.extend(node.features.iter().cloned());
        let rule = found.and_then(|index| site.slurm.rules.get(index));
        if let Some(gres) = rule.and_then(|rule| rule.gres.as_ref()) {
            place.gres = Some(gres.clone());
        }
    }
    place.features.sort();
    place.features.dedup();
    place
}
