//! What is left of a cluster's pools while conditions are checked.

use super::{Ground, limit_in};
use crate::fit::amount_on;
use crate::fit::pool::Pool;
use std::borrow::Cow;
use suanpan_model::job::{Shape, Sharing};
use suanpan_model::money::MicroCredits;
use suanpan_model::site::{Flavor, Partition};
use suanpan_model::time::Seconds;
use suanpan_model::tres::Tres;

/// A pool and those of its nodes that meet every condition so far.
#[derive(Clone)]
pub(super) struct Way<'a> {
    pub(super) index: u32,
    pub(super) pool: &'a Pool,
    pub(super) partition: &'a Partition,
    pub(super) flavor: &'a Flavor,
    pub(super) nodes: Cow<'a, [u32]>,
    pub(super) required: Vec<u32>,
}

/// All of them.
pub(super) fn ways<'a>(ground: &Ground<'a>) -> Vec<Way<'a>> {
    (0u32..)
        .zip(ground.pools)
        .map(|(index, pool)| Way {
            index,
            pool,
            partition: &ground.inventory.partitions[usize::from(pool.partition)],
            flavor: &ground.inventory.flavors[usize::from(pool.flavor)],
            nodes: Cow::Borrowed(&pool.nodes),
            required: Vec::new(),
        })
        .collect()
}

/// The way with only the nodes that `fit`; nothing if none is left or a named one is lost.
pub(super) fn filter_nodes<'a>(way: &Way<'a>, fit: impl Fn(u32) -> bool) -> Option<Way<'a>> {
    if way.nodes.iter().all(|&node| fit(node)) {
        return Some(way.clone());
    }
    if way.required.iter().any(|&node| !fit(node)) {
        return None;
    }
    let nodes: Vec<u32> = way.nodes.iter().copied().filter(|&node| fit(node)).collect();
    (!nodes.is_empty()).then(|| Way { nodes: Cow::Owned(nodes), ..way.clone() })
}

/// The most a shape may cost on a way: its whole time limit, on its amount or (exclusive) on the
/// largest of the nodes.
pub(super) fn cost(ground: &Ground<'_>, shape: &Shape, way: &Way<'_>) -> MicroCredits {
    let length = Seconds(u64::from(limit_in(shape, way.partition).seconds()));
    let per_node = match shape.sharing {
        Sharing::Shared => shape.per_node,
        Sharing::Exclusive => way
            .nodes
            .iter()
            .map(|&node| amount_on(shape, &ground.inventory.nodes[node as usize].capacity))
            .fold(shape.per_node, |most, amount| larger(&most, &amount)),
    };
    way.flavor.price.charge(&per_node, shape.nodes, length)
}

fn larger(one: &Tres, other: &Tres) -> Tres {
    Tres {
        cpus: one.cpus.max(other.cpus),
        memory: one.memory.max(other.memory),
        gpus: one.gpus.max(other.gpus),
    }
}
