//! Racks of accelerators behind one switch each (NVLink domains), joined by rails.

use std::sync::Arc;

use super::LinkTerms;
use crate::fabric::{Element, Fabric, FabricParts, Kind, Level};
use crate::problem::Problem;

/// How the blocks are built and joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Blocks: racks whose chips share one scale-up switch.
    pub blocks: u32,
    /// Nodes (trays) of a block.
    pub nodes: u32,
    /// Chips of a node; chip c of each node of a block is on rail c's leaf switch of that block.
    pub chips: u32,
    /// Spine switches, each joined to all leaves; 0 for blocks that stand alone.
    pub spines: u32,
}

/// Terms of the three kinds of links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockTerms {
    /// Chip to the block's scale-up switch.
    pub scale_up: LinkTerms,
    /// Chip to its rail's leaf.
    pub rail: LinkTerms,
    /// Leaf to spine, all cables between the two together.
    pub spine: LinkTerms,
}

/// Blocks as GB200 NVL72 racks: all chips of a block are one hop from its scale-up switch (the
/// planes of which are taken as one), and rails lead out of it. Chips come first, called
/// `b0-n0-c0`; levels are `node` and `block`. O(elements + links).
///
/// # Errors
/// If a number of blocks, nodes or chips is 0, or there are too many elements.
pub fn blocks(name: &str, shape: Blocks, terms: &BlockTerms) -> Result<Fabric, Problem> {
    let Blocks { blocks, nodes, chips, spines } = shape;
    let all = [blocks, nodes, chips].iter().fold(1_u64, |n, &f| n.saturating_mul(f.into()));
    let leaves = u64::from(blocks).saturating_mul(chips.into());
    if all == 0 || all > 1 << 19 || leaves.saturating_mul(spines.into()) > 1 << 22 {
        let value = format!("{blocks} x {nodes} x {chips}, {spines} spines");
        let expected = "at least 1 of each, at most 524,288 chips and 4,194,304 links to spines";
        return Err(Problem::new("blocks", value, expected));
    }
    let (chip_count, per_block) = (blocks * nodes * chips, nodes * chips);
    let mut parts = FabricParts { name: name.to_owned(), ..FabricParts::default() };
    let groups: [Arc<str>; 3] = ["scale-up".into(), "rail".into(), "spine".into()];
    for chip in 0..chip_count {
        let (block, node, rail) = (chip / per_block, chip / chips % nodes, chip % chips);
        let id = format!("b{block}-n{node}-c{rail}").into();
        parts.elements.push(Element { id, kind: Kind::Chip, capacity: 1, ..Element::default() });
        parts.links.push(terms.scale_up.link(chip, chip_count + block, &groups[0]));
        if spines > 0 {
            let leaf = chip_count + blocks + block * chips + rail;
            parts.links.push(terms.rail.link(chip, leaf, &groups[1]));
        }
    }
    let mut switch = |id: String| {
        parts.elements.push(Element { id: id.into(), kind: Kind::Switch, ..Element::default() });
    };
    (0..blocks).for_each(|block| switch(format!("b{block}-scale-up")));
    if spines > 0 {
        for leaf in 0..blocks * chips {
            switch(format!("b{}-rail{}", leaf / chips, leaf % chips));
        }
        (0..spines).for_each(|spine| switch(format!("spine{spine}")));
        let first = chip_count + blocks;
        for leaf in 0..blocks * chips {
            for spine in 0..spines {
                let far = first + blocks * chips + spine;
                parts.links.push(terms.spine.link(first + leaf, far, &groups[2]));
            }
        }
    }
    let elements = parts.elements.len() as u32;
    let level = |name: &str, size: u32, domain: &dyn Fn(u32) -> String| Level {
        name: name.to_owned(),
        domains: (0..chip_count / size).map(domain).collect(),
        of: (0..elements).map(|e| (e < chip_count).then_some(e / size)).collect(),
    };
    parts.levels = vec![
        level("node", chips, &|n| format!("b{}-n{}", n / nodes, n % nodes)),
        level("block", per_block, &|b| format!("b{b}")),
    ];
    Fabric::new(parts)
}
