//! The `*.fabric.toml` document: what is typed, before it is a [`Fabric`].
//!
//! Reading TOML is the caller's part: these are serde types, unknown keys are refused, and what
//! fits the types but not together is refused by [`FabricDocument::build`] with field, value and
//! remedy. [`schema::json_schema`] describes the same in JSON Schema.

mod build;
mod generator;
pub mod schema;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::generator::{Generator, JoinEntry};
use crate::fabric::{Fabric, Kind, Partners, Position, State};
use crate::units::{BitsPerSecond, FemtojoulesPerBit, Picoseconds};

/// A fabric as it is written: generated, listed, or both.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FabricDocument {
    /// What the fabric is called.
    pub name: String,
    /// What it is, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// Where the numbers are from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Numbers and simplifications that no source gives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumptions: Vec<String>,
    /// Levels of the listed elements' domains, the smallest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<String>,
    /// A regular fabric, whose elements come before the listed ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<Generator>,
    /// Random defects of what is generated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defects: Option<DefectsEntry>,
    /// What is down, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<DownEntry>,
    /// Elements, listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elements: Vec<ElementEntry>,
    /// Links, listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<LinkEntry>,
    /// Reconfigurable ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PortsEntry>,
}

/// One element, or several alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ElementEntry {
    /// Its name, or several in Slurm's bracket form: `gpu[01-32]`.
    pub id: String,
    /// What it is.
    #[serde(default)]
    pub kind: Kind,
    /// How many ranks it may hold; 1 unless it is a switch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    /// Whether it may be used.
    #[serde(default, skip_serializing_if = "is_up")]
    pub state: State,
    /// Column on a wafer, or longitude in degrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<f64>,
    /// Row on a wafer, or latitude in degrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<f64>,
    /// Its domain of each level, by the level's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub domains: BTreeMap<String, String>,
}

/// One link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkEntry {
    /// The element at one end.
    pub a: String,
    /// The element at the other.
    pub b: String,
    /// Bandwidth of each direction.
    pub bandwidth: BitsPerSecond,
    /// Latency from end to end.
    #[serde(default)]
    pub latency: Picoseconds,
    /// Energy to move one bit.
    #[serde(default, skip_serializing_if = "is_free")]
    pub energy: FemtojoulesPerBit,
    /// Whether it may be used.
    #[serde(default, skip_serializing_if = "is_up")]
    pub state: State,
    /// Which kind of link it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
}

/// Reconfigurable ports of one element, or of several alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortsEntry {
    /// Whose: names in Slurm's bracket form, or `*` for every computing element.
    pub elements: String,
    /// How many ports each of them has.
    pub degree: u32,
    /// Whom they may be connected to, each in the same form; everybody with such ports if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partners: Vec<String>,
    /// Only elements within this many hops over the fixed links, broken ones included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<u32>,
    /// Bandwidth of each direction of a link through one port.
    pub bandwidth: BitsPerSecond,
    /// Latency of such a link.
    #[serde(default)]
    pub latency: Picoseconds,
    /// Energy to move one bit over it.
    #[serde(default)]
    pub energy: FemtojoulesPerBit,
    /// How long a change of connections takes.
    #[serde(default)]
    pub switching_time: Picoseconds,
    /// Ports connect within their group only.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
}

/// Random defects: a chance for each element, or the density and area it follows from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefectsEntry {
    /// What the draws depend on.
    pub seed: u64,
    /// Chance of each element to be down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub element_chance: Option<f64>,
    /// Chance of each link to be down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_chance: Option<f64>,
    /// Defects per cm², in place of `element_chance`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub density_per_cm2: Option<f64>,
    /// Area of a die in mm² for `density_per_cm2`; that of the wafer's dies if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area_mm2: Option<f64>,
    /// Clustering of defects (the α of the negative binomial model); none for Poisson.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clustering: Option<f64>,
}

/// What is down, by name: an explicit defect map, or drained nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DownEntry {
    /// Elements, each in Slurm's bracket form.
    #[serde(default)]
    pub elements: Vec<String>,
    /// Links as the names of both ends; all links between the two are down.
    #[serde(default)]
    pub links: Vec<[String; 2]>,
}

fn is_up(state: &State) -> bool {
    *state == State::Up
}

fn is_free(energy: &FemtojoulesPerBit) -> bool {
    energy.0 == 0
}

impl FabricDocument {
    /// The document that lists every element and link of a fabric, as after an import.
    #[must_use]
    pub fn listing(fabric: &Fabric) -> Self {
        let id = |e: u32| fabric.elements()[e as usize].id.to_string();
        let elements = fabric.elements().iter().enumerate().map(|(index, element)| {
            let domains = fabric.levels().iter().filter_map(|level| {
                let domain = level.of[index]? as usize;
                Some((level.name.clone(), level.domains[domain].clone()))
            });
            let is_usual = element.capacity == u32::from(element.kind != Kind::Switch);
            ElementEntry {
                id: element.id.to_string(),
                kind: element.kind,
                capacity: (!is_usual).then_some(element.capacity),
                state: element.state,
                x: element.position.map(|Position { x, .. }| x),
                y: element.position.map(|Position { y, .. }| y),
                domains: domains.collect(),
            }
        });
        let links = fabric.links().iter().map(|link| LinkEntry {
            a: id(link.a),
            b: id(link.b),
            bandwidth: link.bandwidth,
            latency: link.latency,
            energy: link.energy,
            state: link.state,
            group: link.group.to_string(),
        });
        let ports = fabric.ports().iter().map(|ports| PortsEntry {
            elements: id(ports.element),
            degree: ports.degree,
            partners: match &ports.partners {
                Partners::Any => Vec::new(),
                Partners::Listed(listed) => listed.iter().map(|&e| id(e)).collect(),
            },
            reach: None,
            bandwidth: ports.bandwidth,
            latency: ports.latency,
            energy: ports.energy,
            switching_time: ports.switching_time,
            group: ports.group.to_string(),
        });
        Self {
            name: fabric.name().to_owned(),
            levels: fabric.levels().iter().map(|level| level.name.clone()).collect(),
            elements: elements.collect(),
            links: links.collect(),
            ports: ports.collect(),
            ..Self::default()
        }
    }
}
