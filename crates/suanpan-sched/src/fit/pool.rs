//! Pools: the nodes of one flavor in one partition.

use suanpan_model::site::Inventory;

/// The nodes of one flavor in one partition of one cluster. A node may be in several pools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Index into the inventory's partitions.
    pub partition: u16,
    /// Index into the inventory's flavors.
    pub flavor: u16,
    /// Indexes into the inventory's nodes, rising.
    pub nodes: Box<[u32]>,
}

/// All pools of an inventory, by partition and then by flavor. Indexes that point nowhere are
/// left out: an unsound inventory offers less, it breaks nothing.
#[must_use]
pub fn pools(inventory: &Inventory) -> Vec<Pool> {
    let mut found = Vec::new();
    for (partition, about) in (0u16..).zip(&inventory.partitions) {
        for (flavor, _) in (0u16..).zip(&inventory.flavors) {
            let mut nodes: Vec<u32> = about
                .nodes
                .iter()
                .copied()
                .filter(|&node| {
                    inventory.nodes.get(node as usize).is_some_and(|node| node.flavor == flavor)
                })
                .collect();
            nodes.sort_unstable();
            nodes.dedup();
            if !nodes.is_empty() {
                found.push(Pool { partition, flavor, nodes: nodes.into() });
            }
        }
    }
    found
}
