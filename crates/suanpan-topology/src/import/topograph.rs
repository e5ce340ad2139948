//! What NVIDIA Topograph writes and reads, beside `topology.conf` ([`super::slurm`]) and node
//! labels ([`super::kubernetes`]): the JSON of its `graph` engine, and its cluster models in YAML.
//!
//! Source: docs/engines/graph.md and tests/models of the repository NVIDIA/topograph (Apache-2.0).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use suanpan_model::hostlist::Hostlist;

use super::slurm::{Switch, from_switches};
use super::tree::{self, Leaf, Nesting};
use crate::fabric::{Element, Fabric, Kind, Level, State};
use crate::generate::LinkTerms;
use crate::problem::Problem;

/// The result of the `graph` engine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    /// The instances.
    pub instances: Vec<Instance>,
}

/// One instance of the `graph` engine. Keys that say nothing about where it is are left alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name.
    pub id: String,
    /// The switches above it, the nearest first.
    #[serde(default)]
    pub network_layers: Vec<String>,
    /// More about it.
    #[serde(default)]
    pub attributes: Attributes,
}

/// Attributes that say where an instance is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Attributes {
    /// Its NVLink domain.
    #[serde(default)]
    pub nvlink: Option<String>,
}

impl Graph {
    /// A tree of the network layers (levels `leaf`, `layer2`, …), with NVLink domains aside (level
    /// `nvlink`). `terms` are those of NVLink first, then of each layer, the last for all that
    /// follow.
    ///
    /// # Errors
    /// If an instance is there twice, or a switch below two others.
    pub fn build(&self, name: &str, terms: &[LinkTerms]) -> Result<Fabric, Problem> {
        let layers = self.instances.iter().map(|i| i.network_layers.len()).max().unwrap_or(0);
        if layers > 16 {
            return Err(Problem::new("network_layers", layers, "at most 16 layers"));
        }
        let leaves: Vec<Leaf> = self
            .instances
            .iter()
            .map(|instance| {
                let layers = (0..layers).map(|layer| instance.network_layers.get(layer).cloned());
                let nvlink = instance.attributes.nvlink.clone();
                Leaf {
                    name: instance.id.clone(),
                    capacity: 1,
                    state: State::Up,
                    domains: [nvlink].into_iter().chain(layers).collect(),
                }
            })
            .collect();
        let mut levels = vec![("nvlink".to_owned(), Nesting::Aside)];
        for layer in 1..=layers {
            let name = if layer == 1 { "leaf".to_owned() } else { format!("layer{layer}") };
            levels.push((name, Nesting::Nested));
        }
        tree::build(name, &levels, &leaves, terms)
    }
}

/// A cluster model: what Topograph's simulator reads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Switches above switches, by name.
    #[serde(default)]
    pub switches: BTreeMap<String, ModelSwitch>,
    /// Nodes below the lowest switches.
    #[serde(default)]
    pub blocks: Vec<ModelBlock>,
}

/// A switch of a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelSwitch {
    /// The switches below it.
    #[serde(default)]
    pub switches: Vec<String>,
}

/// Nodes below one switch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelBlock {
    /// The switch.
    #[serde(default)]
    pub switch: Option<String>,
    /// Lists of nodes in bracket form.
    #[serde(default)]
    pub nodes: Vec<String>,
    /// Labels and the like; `…/domain` names the accelerator domain.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

impl Model {
    /// The model's tree ([`from_switches`]) with its accelerator domains as a level and a switch
    /// each, aside. `terms` are those of the accelerator domains first, then of each layer, the
    /// last for all that follow.
    ///
    /// # Errors
    /// If a node is in two blocks, or what [`from_switches`] refuses.
    pub fn build(&self, name: &str, terms: &[LinkTerms]) -> Result<Fabric, Problem> {
        let mut switches: BTreeMap<&str, Switch> = BTreeMap::new();
        for (name, switch) in &self.switches {
            let below = switch.switches.clone();
            let entry = Switch { name: name.clone(), switches: below.clone(), ..Switch::default() };
            switches.insert(name, entry);
        }
        for name in self.switches.values().flat_map(|switch| &switch.switches) {
            let entry = Switch { name: name.clone(), ..Switch::default() };
            switches.entry(name).or_insert(entry);
        }
        let mut domains: BTreeMap<String, String> = BTreeMap::new();
        for (index, block) in self.blocks.iter().enumerate() {
            let name = block.switch.as_deref().unwrap_or("core");
            let domain = block.annotations.iter().find(|(key, _)| key.ends_with("/domain"));
            let field = format!("blocks[{index}].nodes");
            for list in &block.nodes {
                let nodes = expanded(list).map_err(|problem| problem.within(&field))?;
                for node in nodes {
                    let domain = domain.map(|(_, domain)| domain.clone()).unwrap_or_default();
                    if domains.insert(node.clone(), domain).is_some() {
                        return Err(Problem::new(&field, &node, "a node in one block only"));
                    }
                    let entry = switches.entry(name);
                    let switch = Switch { name: name.to_owned(), ..Switch::default() };
                    entry.or_insert(switch).nodes.push(node);
                }
            }
        }
        let switches: Vec<Switch> = switches.into_values().collect();
        let (aside, above) = terms.split_first().unwrap_or((&NO_TERMS, &[]));
        let above = if above.is_empty() { std::slice::from_ref(aside) } else { above };
        let fabric = from_switches(name, &switches, above)?;
        with_domains(fabric, &domains, *aside)
    }
}

/// Names of a list in bracket form, which here may be numbers alone: `[1101-1102]`.
fn expanded(list: &str) -> Result<Vec<String>, Problem> {
    let is_numbers = list.starts_with('[');
    let named = if is_numbers { format!("n{list}") } else { list.to_owned() };
    let names = named
        .parse::<Hostlist>()
        .map_err(|_| Problem::new("", list, "names as `node[1101-1118]`"))?
        .expand();
    Ok(names.into_iter().map(|name| name[usize::from(is_numbers)..].to_owned()).collect())
}

const NO_TERMS: LinkTerms = LinkTerms {
    bandwidth: crate::units::BitsPerSecond(0),
    latency: crate::units::Picoseconds(0),
    energy: crate::units::FemtojoulesPerBit(0),
};

/// A switch for each accelerator domain, and the level `nvlink`.
fn with_domains(
    fabric: Fabric,
    domains: &BTreeMap<String, String>,
    terms: LinkTerms,
) -> Result<Fabric, Problem> {
    let mut parts = fabric.into_parts();
    let of = parts.elements.iter().map(|element| {
        domains.get(&*element.id).map(String::as_str).filter(|domain| !domain.is_empty())
    });
    let mut level = Level::from_names("nvlink", of);
    if level.domains.is_empty() {
        return Fabric::new(parts);
    }
    let first = parts.elements.len() as u32;
    for domain in &level.domains {
        let id = format!("nvlink:{}", super::id(domain)).into();
        parts.elements.push(Element { id, kind: Kind::Switch, ..Element::default() });
    }
    let group = "nvlink".into();
    for (node, domain) in level.of.iter().enumerate() {
        if let Some(domain) = domain {
            parts.links.push(terms.link(node as u32, first + domain, &group));
        }
    }
    level.of.resize(parts.elements.len(), None);
    parts.levels.iter_mut().for_each(|level| level.of.resize(parts.elements.len(), None));
    parts.levels.insert(0, level);
    Fabric::new(parts)
}
