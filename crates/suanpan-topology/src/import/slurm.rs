//! Slurm's `topology.conf` (tree and block) and `topology.yaml`.
//!
//! Source: the manual pages topology.conf(5) and topology.yaml(5) of Slurm 25.05.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use suanpan_model::hostlist::Hostlist;

use super::tree::{self, Leaf, Nesting};
use crate::fabric::{Element, Fabric, FabricParts, Kind, Level, State};
use crate::generate::LinkTerms;
use crate::problem::Problem;

/// One switch of `topology/tree`, as a line of the file or a part of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Switch {
    /// Line of the file, 0 if it is none.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// Switches below it.
    pub switches: Vec<String>,
    /// Nodes below it.
    pub nodes: Vec<String>,
}

/// One block of `topology/block`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Line of the file, 0 if it is none.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// Its nodes.
    pub nodes: Vec<String>,
}

/// Reads `topology.conf`: lines of `SwitchName=` (tree) or of `BlockName=` (block). Keys are in any
/// case; a `\` at the end continues a line; text after `#` is a comment, but `# name=label`, which
/// NVIDIA Topograph writes before a block or switch, gives it the label as its name. `terms[l]` are
/// those of the links below layer l + 1, the last for all that follow.
///
/// # Errors
/// The line that does not keep to the format, a name that is used twice or is nowhere.
pub fn topology_conf(name: &str, text: &str, terms: &[LinkTerms]) -> Result<Fabric, Problem> {
    let mut switches = Vec::new();
    let mut blocks = Vec::new();
    let mut sizes = Vec::new();
    let mut labels: BTreeMap<String, String> = BTreeMap::new();
    for (line, text) in joined(text) {
        let (entry, comment) = text.split_once('#').unwrap_or((&text, ""));
        if let Some((name, label)) = comment.trim().split_once('=') {
            labels.insert(name.trim().to_owned(), label.trim().to_owned());
        }
        let words = keys(line, entry)?;
        match words.first().map(|(key, _)| key.as_str()) {
            None => {}
            Some("switchname") => switches.push(switch(line, &words)?),
            Some("blockname") => blocks.push(block(line, &words)?),
            Some("blocksizes") => sizes = block_sizes(line, &words[0].1)?,
            Some(key) => {
                let expected = "`SwitchName=`, `BlockName=` or `BlockSizes=` first";
                return Err(Problem::at(line, "key", key, expected));
            }
        }
    }
    for block in &mut blocks {
        if let Some(label) = labels.get(&block.name) {
            block.name.clone_from(label);
        }
    }
    match (switches.is_empty(), blocks.is_empty()) {
        (false, true) => from_switches(name, &switches, terms),
        (true, false) => from_blocks(name, &blocks, &sizes, terms),
        (true, true) => Err(Problem::new("topology.conf", "nothing", "switches or blocks")),
        (false, false) => {
            let line = blocks[0].line;
            Err(Problem::at(line, "BlockName", &blocks[0].name, "blocks or switches, not both"))
        }
    }
}

/// Logical lines with the number of their first.
fn joined(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut is_open = false;
    for (number, line) in (1..).zip(text.lines()) {
        let (part, goes_on) = match line.trim_end().strip_suffix('\\') {
            Some(part) => (part, true),
            None => (line, false),
        };
        match lines.last_mut().filter(|_| is_open) {
            Some(last) => last.1.push_str(part),
            None => lines.push((number, part.to_owned())),
        }
        is_open = goes_on;
    }
    lines
}

fn keys(line: usize, text: &str) -> Result<Vec<(String, String)>, Problem> {
    text.split_whitespace()
        .map(|word| match word.split_once('=') {
            Some((key, value)) if !value.is_empty() => {
                Ok((key.to_ascii_lowercase(), value.to_owned()))
            }
            _ => Err(Problem::at(line, "word", word, "`Key=value`")),
        })
        .collect()
}

fn list(line: usize, key: &str, value: &str) -> Result<Vec<String>, Problem> {
    let expected = "names as `tux[0-3,12]`";
    value
        .parse::<Hostlist>()
        .map(|list| list.expand())
        .map_err(|_| Problem::at(line, key, value, expected))
}

fn switch(line: usize, words: &[(String, String)]) -> Result<Switch, Problem> {
    let mut switch = Switch { line, name: words[0].1.clone(), ..Switch::default() };
    for (key, value) in &words[1..] {
        match key.as_str() {
            "switches" => switch.switches = list(line, "Switches", value)?,
            "nodes" => switch.nodes = list(line, "Nodes", value)?,
            // The manual: informational, not used.
            "linkspeed" => {}
            _ => {
                let expected = "`Switches=`, `Nodes=` or `LinkSpeed=`";
                return Err(Problem::at(line, "key", key, expected));
            }
        }
    }
    Ok(switch)
}

fn block(line: usize, words: &[(String, String)]) -> Result<Block, Problem> {
    let mut block = Block { line, name: words[0].1.clone(), nodes: Vec::new() };
    for (key, value) in &words[1..] {
        match key.as_str() {
            "nodes" => block.nodes = list(line, "Nodes", value)?,
            _ => return Err(Problem::at(line, "key", key, "`Nodes=`")),
        }
    }
    Ok(block)
}

fn block_sizes(line: usize, value: &str) -> Result<Vec<u32>, Problem> {
    value
        .split(',')
        .map(|word| {
            let size = word.parse().ok().filter(|size| *size > 0);
            size.ok_or_else(|| {
                Problem::at(line, "BlockSizes", word, "numbers of nodes, as `18,36`")
            })
        })
        .collect()
}

/// A tree from its switches. Nodes come first, in the order they are first named; each is a
/// computing element of capacity 1. The switches right above nodes are the level `leaf`, those
/// above these `layer2`, and so on, as far as the tree is of one height. A node or a switch may be
/// below several switches, as in a fabric with several spines. O(names log names).
///
/// # Errors
/// If a switch is described twice, a named one is not described, or there is a circle.
pub fn from_switches(
    name: &str,
    switches: &[Switch],
    terms: &[LinkTerms],
) -> Result<Fabric, Problem> {
    let mut parts = FabricParts { name: name.to_owned(), ..FabricParts::default() };
    let mut places: BTreeMap<&str, u32> = BTreeMap::new();
    for node in switches.iter().flat_map(|switch| &switch.nodes) {
        if !places.contains_key(node.as_str()) {
            places.insert(node, parts.elements.len() as u32);
            let element = Element { capacity: 1, ..Element::default() };
            parts.elements.push(Element { id: super::id(node).into(), ..element });
        }
    }
    let nodes = parts.elements.len();
    for switch in switches {
        if places.insert(&switch.name, parts.elements.len() as u32).is_some() {
            let expected = "a name that no other switch or node has";
            return Err(Problem::at(switch.line, "SwitchName", &switch.name, expected));
        }
        let id = super::id(&switch.name).into();
        parts.elements.push(Element { id, kind: Kind::Switch, ..Element::default() });
    }
    let layers = layers(switches, &places, nodes)?;
    for (index, switch) in switches.iter().enumerate() {
        let above = (nodes + index) as u32;
        for below in switch.nodes.iter().chain(&switch.switches) {
            let below = places[below.as_str()];
            let layer = layers[index];
            let terms = terms.get(layer - 1).or(terms.last()).copied().unwrap_or_default();
            parts.links.push(terms.link(below, above, &format!("layer{layer}").into()));
        }
    }
    parts.levels = leaf_level(switches, &places, parts.elements.len());
    Fabric::new(parts)
}

/// The layer of each switch: 1 above nodes only, else one more than the highest below it.
fn layers(
    switches: &[Switch],
    places: &BTreeMap<&str, u32>,
    nodes: usize,
) -> Result<Vec<usize>, Problem> {
    let mut above: Vec<Vec<usize>> = vec![Vec::new(); switches.len()];
    let mut waiting = vec![0; switches.len()];
    for (index, switch) in switches.iter().enumerate() {
        for below in &switch.switches {
            let place = places.get(below.as_str()).map(|place| *place as usize);
            let Some(below) = place.and_then(|place| place.checked_sub(nodes)) else {
                let expected = "a switch with a line `SwitchName=` of its own";
                return Err(Problem::at(switch.line, "Switches", below, expected));
            };
            above[below].push(index);
            waiting[index] += 1;
        }
    }
    let mut ready: Vec<usize> = (0..switches.len()).filter(|&s| waiting[s] == 0).collect();
    let mut layers = vec![1; switches.len()];
    let mut done = 0;
    while let Some(below) = ready.pop() {
        done += 1;
        for &index in &above[below] {
            layers[index] = layers[index].max(layers[below] + 1);
            waiting[index] -= 1;
            if waiting[index] == 0 {
                ready.push(index);
            }
        }
    }
    match (0..switches.len()).find(|&s| waiting[s] > 0) {
        Some(circle) if done < switches.len() => {
            let Switch { line, name, .. } = &switches[circle];
            Err(Problem::at(*line, "Switches", name, "switches that are not above themselves"))
        }
        _ => Ok(layers),
    }
}

/// Which nodes are under which switch, and which under which larger one, as long as every node
/// has exactly one there.
fn leaf_level(switches: &[Switch], places: &BTreeMap<&str, u32>, count: usize) -> Vec<Level> {
    let mut levels: Vec<Level> = Vec::new();
    let mut below: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for switch in switches {
        let nodes = switch.nodes.iter().map(|node| places[node.as_str()]).collect();
        below.insert(places[switch.name.as_str()], nodes);
    }
    let mut current: Vec<&Switch> = switches.iter().filter(|s| !s.nodes.is_empty()).collect();
    while current.len() > 1 && levels.len() < 16 {
        let mut of = vec![None; count];
        for (domain, switch) in current.iter().enumerate() {
            for node in &below[&places[switch.name.as_str()]] {
                if of[*node as usize].replace(domain as u32).is_some() {
                    return levels;
                }
            }
        }
        let name = if levels.is_empty() {
            "leaf".to_owned()
        } else {
            format!("layer{}", levels.len() + 1)
        };
        let domains = current.iter().map(|switch| switch.name.clone()).collect();
        levels.push(Level { name, domains, of });
        let names: BTreeSet<&str> = current.iter().map(|switch| switch.name.as_str()).collect();
        current = switches
            .iter()
            .filter(|s| s.switches.iter().any(|name| names.contains(name.as_str())))
            .collect();
        for switch in &current {
            let inside =
                switch.switches.iter().flat_map(|name| below[&places[name.as_str()]].clone());
            let inside: BTreeSet<u32> = inside.collect();
            below.entry(places[switch.name.as_str()]).or_default().extend(inside);
        }
    }
    levels
}

/// Blocks of nodes around a core. `sizes` are numbers of nodes: the first of a block, each further
/// of as many blocks in a row as make it up (topology.conf(5), BlockSizes); they give the levels
/// `block`, `block2`, …. O(nodes × sizes × log).
///
/// # Errors
/// If a node is in two blocks.
pub fn from_blocks(
    name: &str,
    blocks: &[Block],
    sizes: &[u32],
    terms: &[LinkTerms],
) -> Result<Fabric, Problem> {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut leaves = Vec::new();
    let base = sizes.first().copied().unwrap_or(1);
    // Blocks beyond the last full group are a group of their own.
    let groups: Vec<u32> = sizes.iter().skip(1).map(|size| (size / base).max(1)).collect();
    for (index, block) in (0_u32..).zip(blocks) {
        for node in &block.nodes {
            if !seen.insert(node) {
                return Err(Problem::at(block.line, "Nodes", node, "a node in one block only"));
            }
            let larger = groups.iter().map(|blocks| Some(format!("{blocks}x{}", index / blocks)));
            leaves.push(Leaf {
                name: node.clone(),
                capacity: 1,
                state: State::Up,
                domains: [Some(block.name.clone())].into_iter().chain(larger).collect(),
            });
        }
    }
    let mut levels = vec![("block".to_owned(), Nesting::Nested)];
    levels.extend((2..).take(groups.len()).map(|n| (format!("block{n}"), Nesting::Nested)));
    tree::build(name, &levels, &leaves, terms)
}

/// One topology of `topology.yaml`; the file is a list of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TopologyYaml {
    /// Its name.
    pub topology: String,
    /// Whether it is the cluster's own.
    #[serde(default)]
    pub cluster_default: bool,
    /// Switches.
    #[serde(default)]
    pub tree: Option<TreeYaml>,
    /// Blocks.
    #[serde(default)]
    pub block: Option<BlockYaml>,
    /// No hierarchy at all.
    #[serde(default)]
    pub flat: bool,
}

/// `tree:` of `topology.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TreeYaml {
    /// The switches.
    pub switches: Vec<SwitchYaml>,
}

/// One switch of `topology.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SwitchYaml {
    /// Its name.
    pub switch: String,
    /// Switches below it, in bracket form.
    #[serde(default)]
    pub children: String,
    /// Nodes below it, in bracket form.
    #[serde(default)]
    pub nodes: String,
}

/// `block:` of `topology.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BlockYaml {
    /// Numbers of nodes, as `BlockSizes`.
    #[serde(default)]
    pub block_sizes: Vec<u32>,
    /// The blocks.
    pub blocks: Vec<BlockEntryYaml>,
}

/// One block of `topology.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BlockEntryYaml {
    /// Its name.
    pub block: String,
    /// Its nodes, in bracket form.
    #[serde(default)]
    pub nodes: String,
}

impl TopologyYaml {
    /// The fabric of this topology, as [`topology_conf`] makes it.
    ///
    /// # Errors
    /// If it is flat, or what the two forms refuse.
    pub fn build(&self, terms: &[LinkTerms]) -> Result<Fabric, Problem> {
        let names = |field: &str, value: &str| match value {
            "" => Ok(Vec::new()),
            value => list(0, field, value),
        };
        if let Some(tree) = &self.tree {
            let mut switches = Vec::new();
            for entry in &tree.switches {
                switches.push(Switch {
                    line: 0,
                    name: entry.switch.clone(),
                    switches: names("children", &entry.children)?,
                    nodes: names("nodes", &entry.nodes)?,
                });
            }
            return from_switches(&self.topology, &switches, terms);
        }
        let Some(block) = &self.block else {
            let expected = "`tree` or `block`: a flat topology says nothing of who is near whom";
            return Err(Problem::new("topology", &self.topology, expected));
        };
        if block.block_sizes.contains(&0) {
            return Err(Problem::new("block_sizes", 0, "numbers of nodes, at least 1"));
        }
        let mut blocks = Vec::new();
        for entry in &block.blocks {
            let nodes = names("nodes", &entry.nodes)?;
            blocks.push(Block { line: 0, name: entry.block.clone(), nodes });
        }
        from_blocks(&self.topology, &blocks, &block.block_sizes, terms)
    }
}
