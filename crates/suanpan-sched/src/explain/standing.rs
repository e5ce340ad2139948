//! What would let a shape run on a cluster at all.

use crate::explain::{Effect, REMEDIES, Remedy, Tweak};
use crate::fit::catalog::Catalog;
use crate::fit::feasible::{Ground, is_under, limit_in, offers};
use crate::fit::pool::Pool;
use suanpan_model::job::Shape;
use suanpan_model::memory::Mebibytes;
use suanpan_model::money::MicroCredits;
use suanpan_model::site::{Node, Partition};
use suanpan_model::tres::Tres;

/// The smallest changes that would let a shape run somewhere, smallest first; empty if it can run
/// already, or if nothing helps. Fewer changes come first, then those that give up less.
///
/// Every remedy is checked: with its changes made, the cluster offers the shape a place.
#[must_use]
pub fn remedies(catalog: &Catalog, shape: &Shape) -> Vec<Remedy> {
    let mut found: Vec<(usize, u64, Remedy)> = Vec::new();
    for (cluster, inventory) in catalog.clusters() {
        let ground = catalog.ground(cluster);
        if offers(&ground, shape).is_ok() {
            return Vec::new();
        }
        for pool in ground.pools {
            for give in [Give::Amounts, Give::Nodes] {
                let changes = changes(&ground, pool, shape, give);
                let Some(changed) = checked(&ground, shape, changes) else { continue };
                let size = changed.iter().map(|tweak| tweak.size(shape)).sum();
                let site = inventory.site.clone();
                let remedy = Remedy { cluster, site, changes: changed, effect: Effect::CanRun };
                found.push((remedy.changes.len(), size, remedy));
            }
        }
    }
    smallest(found)
}

/// The smallest few, each set of changes once.
fn smallest(mut found: Vec<(usize, u64, Remedy)>) -> Vec<Remedy> {
    found.sort_by(|(count, size, one), (other_count, other_size, other)| {
        (count, size, one.cluster, &one.changes).cmp(&(
            other_count,
            other_size,
            other.cluster,
            &other.changes,
        ))
    });
    let mut kept: Vec<Remedy> = Vec::new();
    for (_, _, remedy) in found {
        if kept.len() < REMEDIES && kept.iter().all(|known| known.changes != remedy.changes) {
            kept.push(remedy);
        }
    }
    kept
}

/// What is given up where there are too few large nodes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Give {
    /// Amounts per node.
    Amounts,
    /// Nodes.
    Nodes,
}

/// The changes, with the budget raised if they still cost too much; nothing if they do not help.
fn checked(ground: &Ground<'_>, shape: &Shape, mut changes: Vec<Tweak>) -> Option<Vec<Tweak>> {
    let mut changed = shape.clone();
    for tweak in &changes {
        tweak.apply(&mut changed);
    }
    let budget = changed.budget.take();
    let offers = offers(ground, &changed).ok()?;
    let cost = offers.iter().map(|offer| offer.cost).min().unwrap_or(MicroCredits::ZERO);
    if budget.is_some_and(|budget| cost > budget) {
        changes.push(Tweak::Budget(cost));
    }
    Some(changes)
}

/// What must change for one pool, each condition by itself, without the budget.
fn changes(ground: &Ground<'_>, pool: &Pool, shape: &Shape, give: Give) -> Vec<Tweak> {
    let inventory = ground.inventory;
    let partition = &inventory.partitions[usize::from(pool.partition)];
    let flavor = &inventory.flavors[usize::from(pool.flavor)];
    let mut changes = Vec::new();
    let named = |name: &String| *name == inventory.site || *name == inventory.cluster;
    if !shape.sites.is_empty() && !shape.sites.iter().any(named) {
        changes.push(Tweak::AllowSite(inventory.site.clone()));
    }
    let allowed = match shape.partitions.is_empty() {
        true => partition.default,
        false => shape.partitions.contains(&partition.name),
    };
    if !allowed {
        changes.push(Tweak::AllowPartition(partition.name.clone()));
    }
    let seen = |path: &&String| !inventory.shared_paths.iter().any(|known| is_under(path, known));
    let hidden: Vec<String> = shape.paths.iter().filter(seen).cloned().collect();
    if !hidden.is_empty() {
        changes.push(Tweak::ReplacePaths(hidden));
    }
    if !shape.flavors.is_empty() && !shape.flavors.contains(&flavor.name) {
        changes.push(Tweak::AllowFlavor(flavor.name.clone()));
    }
    let nodes = pool.nodes.iter().map(|&node| &inventory.nodes[node as usize]).collect();
    let nodes = names_and_features(shape, nodes, &mut changes);
    amounts(shape, &nodes, partition, give, &mut changes);
    if limit_in(shape, partition) > partition.time_max {
        changes.push(Tweak::Time(partition.time_max));
    }
    if ground.links.staging(&inventory.site, &shape.inputs).is_err() {
        changes.push(Tweak::MoveInputs(inventory.site.clone()));
    }
    changes
}

/// The nodes that remain after features and names, with what must be dropped to have any.
fn names_and_features<'n>(
    shape: &Shape,
    nodes: Vec<&'n Node>,
    changes: &mut Vec<Tweak>,
) -> Vec<&'n Node> {
    let lacks = |node: &Node| -> Vec<String> {
        let lacking = shape.features.iter().filter(|feature| !node.features.contains(feature));
        lacking.cloned().collect()
    };
    let least = nodes.iter().map(|node| lacks(node)).min_by_key(Vec::len).unwrap_or_default();
    let nodes: Vec<&Node> = nodes
        .into_iter()
        .filter(|node| lacks(node).iter().all(|feature| least.contains(feature)))
        .collect();
    if !least.is_empty() {
        changes.push(Tweak::DropFeatures(least));
    }
    let allowed: Vec<&Node> =
        nodes.iter().copied().filter(|node| !shape.exclude.contains(&node.name)).collect();
    let named = shape.nodelist.iter().all(|name| allowed.iter().any(|node| node.name == *name));
    let fitting = shape.nodelist.len() <= shape.nodes as usize;
    if allowed.is_empty() || !named || !fitting {
        changes.push(Tweak::DropNodeList);
        return nodes;
    }
    allowed
}

/// What must be asked less of: per node, or nodes.
fn amounts(
    shape: &Shape,
    nodes: &[&Node],
    partition: &Partition,
    give: Give,
    changes: &mut Vec<Tweak>,
) {
    let large = nodes.iter().filter(|node| node.capacity.covers(&shape.per_node)).count();
    let there = if give == Give::Nodes && large > 0 { large } else { nodes.len() };
    let most = u32::try_from(there).unwrap_or(u32::MAX).min(partition.nodes_max_per_job);
    let count = shape.nodes.min(most);
    if count < shape.nodes {
        changes.push(Tweak::Nodes(count));
    }
    let mut left: Vec<Tres> = nodes.iter().map(|node| node.capacity).collect();
    let wanted = &shape.per_node;
    let cpus = nth_largest(&left, count, |tres| u64::from(tres.cpus));
    if cpus < u64::from(wanted.cpus) {
        changes.push(Tweak::Cpus(cpus as u32));
    }
    left.retain(|tres| u64::from(tres.cpus) >= cpus.min(wanted.cpus.into()));
    let memory = nth_largest(&left, count, |tres| tres.memory.get());
    if memory < wanted.memory.get() {
        changes.push(Tweak::Memory(Mebibytes::new(memory)));
    }
    left.retain(|tres| tres.memory.get() >= memory.min(wanted.memory.get()));
    let gpus = nth_largest(&left, count, |tres| u64::from(tres.gpus));
    if gpus < u64::from(wanted.gpus) {
        changes.push(Tweak::Gpus(gpus as u32));
    }
}

/// The amount that `count` of these have at least; 0 if there are not so many.
pub(super) fn nth_largest(all: &[Tres], count: u32, amount: impl Fn(&Tres) -> u64) -> u64 {
    let mut amounts: Vec<u64> = all.iter().map(amount).collect();
    amounts.sort_unstable_by(|one, other| other.cmp(one));
    let place = (count as usize).checked_sub(1);
    place.and_then(|place| amounts.get(place).copied()).unwrap_or(0)
}
