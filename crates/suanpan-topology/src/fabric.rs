//! What there is: elements and links, some reconfigurable, some broken.

mod shape;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::shape::{DIMENSIONS_MAX, Grid, Shape, Twist, Wrap};
use crate::problem::Problem;
use crate::units::{BitsPerSecond, FemtojoulesPerBit, Picoseconds};

/// The most elements of one fabric: a bound against descriptions that would fill memory.
pub const ELEMENTS_MAX: usize = 1 << 20;
/// The most links of one fabric.
pub const LINKS_MAX: usize = 1 << 23;

/// What an element is. A switch forwards and computes nothing: its capacity is 0.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A die on a wafer.
    Die,
    /// A chip or an accelerator.
    Chip,
    /// A machine.
    #[default]
    Node,
    /// A site of a network of sites.
    Site,
    /// A switch, a router, or the core of a hierarchy.
    Switch,
}

/// Whether an element or a link can be used. A drained node and a dead die are the same thing.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It works.
    #[default]
    Up,
    /// It does not, or must not be used.
    #[serde(alias = "dead", alias = "drained", alias = "failed")]
    Down,
}

/// Where an element lies, for pictures and for lengths: column and row on a wafer, longitude and
/// latitude in degrees for sites.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Column, or longitude.
    pub x: f64,
    /// Row, or latitude.
    pub y: f64,
}

/// One vertex of a fabric.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Element {
    /// Its name, unique in the fabric, without brackets and commas.
    pub id: Arc<str>,
    /// What it is.
    pub kind: Kind,
    /// How many ranks it may hold; 0 for a switch.
    pub capacity: u32,
    /// Whether it may be used.
    pub state: State,
    /// Where it lies, if known.
    pub position: Option<Position>,
}

/// One edge: full duplex, each direction with the stated bandwidth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link {
    /// One end: a position in [`Fabric::elements`].
    pub a: u32,
    /// The other end.
    pub b: u32,
    /// Bandwidth of each direction, all lanes together; 0 if it is not known.
    pub bandwidth: BitsPerSecond,
    /// Time that a bit needs from end to end, the forwarding element at the far end included.
    pub latency: Picoseconds,
    /// Energy to move one bit.
    pub energy: FemtojoulesPerBit,
    /// Whether it may be used.
    pub state: State,
    /// Which kind of link it is (`x`, `uplink`, `nvlink`); empty if there is one kind.
    pub group: Arc<str>,
}

/// Whom a reconfigurable port may be connected to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Partners {
    /// Any other element with free ports of the same group.
    #[default]
    Any,
    /// These elements only, in ascending order.
    Listed(Vec<u32>),
}

/// The reconfigurable ports of one element: links that can be set for each application, as by an
/// optical circuit switch or the switch fabric of a software-defined wafer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ports {
    /// Whose ports: a position in [`Fabric::elements`].
    pub element: u32,
    /// How many there are; each end of a link takes one.
    pub degree: u32,
    /// Whom they may be connected to.
    pub partners: Partners,
    /// Bandwidth of each direction of a link through one port.
    pub bandwidth: BitsPerSecond,
    /// Latency of such a link.
    pub latency: Picoseconds,
    /// Energy to move one bit over it.
    pub energy: FemtojoulesPerBit,
    /// How long a change of connections takes, during which the group's links carry nothing.
    pub switching_time: Picoseconds,
    /// Ports connect within their group only.
    pub group: Arc<str>,
}

/// One rank of a hierarchy (rack, block, zone) and which domain of it each element is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// What the level is called.
    pub name: String,
    /// Names of its domains.
    pub domains: Vec<String>,
    /// For each element, a position in `domains`; none for elements outside all of them.
    pub of: Vec<Option<u32>>,
}

impl Level {
    /// A level from the name of each element's domain; domains are numbered as they first come.
    #[must_use]
    pub fn from_names<'a>(name: &str, domains: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let mut level = Level { name: name.to_owned(), domains: Vec::new(), of: Vec::new() };
        let mut known: BTreeMap<&str, u32> = BTreeMap::new();
        for domain in domains {
            level.of.push(domain.map(|domain| {
                *known.entry(domain).or_insert_with(|| {
                    level.domains.push(domain.to_owned());
                    (level.domains.len() - 1) as u32
                })
            }));
        }
        level
    }
}

/// Everything a [`Fabric`] is made of, before it is checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FabricParts {
    /// What the fabric is called.
    pub name: String,
    /// Its elements; links, ports and levels name them by their position here.
    pub elements: Vec<Element>,
    /// Its links. Two links between the same elements are two links.
    pub links: Vec<Link>,
    /// Its reconfigurable ports.
    pub ports: Vec<Ports>,
    /// Its hierarchy, the smallest domains first.
    pub levels: Vec<Level>,
    /// The regular form it was generated in, if any.
    pub shape: Shape,
}

/// Elements and links that fit together, and who is next to whom.
///
/// What may be asked: ids are unique, links join two different elements that exist, a regular
/// [`Shape`] describes the links truly (all of them: broken ones have [`State::Down`]).
#[derive(Clone, Debug, PartialEq)]
pub struct Fabric {
    parts: FabricParts,
    /// The neighbors of element `e` are `neighbors[offsets[e]..offsets[e + 1]]`.
    offsets: Vec<u32>,
    neighbors: Vec<Neighbor>,
}

/// The far end of a usable link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Neighbor {
    /// The element there: a position in [`Fabric::elements`].
    pub element: u32,
    /// The link: a position in [`Fabric::links`].
    pub link: u32,
}

impl Fabric {
    /// Checks the parts and finds who is next to whom. O((n + m) log n) for n elements, m links.
    ///
    /// # Errors
    /// The first thing wrong, by field, value and remedy.
    pub fn new(parts: FabricParts) -> Result<Self, Problem> {
        check_elements(&parts)?;
        check_links(&parts)?;
        check_ports(&parts)?;
        check_levels(&parts)?;
        parts.shape.check(&parts)?;
        let (offsets, neighbors) = adjacency(&parts);
        Ok(Self { parts, offsets, neighbors })
    }

    /// The parts back, to change something and make a new fabric.
    #[must_use]
    pub fn into_parts(self) -> FabricParts {
        self.parts
    }

    /// What the fabric is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.parts.name
    }

    /// Its elements, usable or not.
    #[must_use]
    pub fn elements(&self) -> &[Element] {
        &self.parts.elements
    }

    /// Its links, usable or not.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.parts.links
    }

    /// Its reconfigurable ports.
    #[must_use]
    pub fn ports(&self) -> &[Ports] {
        &self.parts.ports
    }

    /// Its hierarchy, the smallest domains first.
    #[must_use]
    pub fn levels(&self) -> &[Level] {
        &self.parts.levels
    }

    /// The level called `name`.
    #[must_use]
    pub fn level(&self, name: &str) -> Option<&Level> {
        self.parts.levels.iter().find(|level| level.name == name)
    }

    /// The regular form it was generated in; broken parts do not change it.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.parts.shape
    }

    /// The position of the element called `id`. O(n).
    #[must_use]
    pub fn position(&self, id: &str) -> Option<u32> {
        self.parts.elements.iter().position(|e| &*e.id == id).map(|e| e as u32)
    }

    /// The usable links of an element with the usable elements at their far ends, by element and
    /// then by link; nothing for an unusable element.
    #[must_use]
    pub fn neighbors(&self, element: u32) -> &[Neighbor] {
        let e = element as usize;
        &self.neighbors[self.offsets[e] as usize..self.offsets[e + 1] as usize]
    }

    /// Whether the element may be used.
    #[must_use]
    pub fn is_up(&self, element: u32) -> bool {
        self.parts.elements[element as usize].state == State::Up
    }

    /// Whether the link and both its ends may be used.
    #[must_use]
    pub fn is_usable(&self, link: u32) -> bool {
        is_usable(&self.parts, &self.parts.links[link as usize])
    }

    /// How many links and both their ends may be used.
    #[must_use]
    pub fn usable_links(&self) -> usize {
        self.neighbors.len() / 2
    }

    /// Where ranks may be put: each usable element once per unit of its capacity, in order of
    /// elements. This is "the order given" of a fabric.
    #[must_use]
    pub fn slots(&self) -> Vec<u32> {
        let mut slots = Vec::new();
        for (index, element) in self.parts.elements.iter().enumerate() {
            if element.state == State::Up {
                slots.extend(std::iter::repeat_n(index as u32, element.capacity as usize));
            }
        }
        slots
    }

    /// The same fabric with these elements and links unusable as well.
    #[must_use]
    pub fn with_down(&self, elements: &[u32], links: &[u32]) -> Self {
        let mut parts = self.parts.clone();
        for &element in elements {
            parts.elements[element as usize].state = State::Down;
        }
        for &link in links {
            parts.links[link as usize].state = State::Down;
        }
        let (offsets, neighbors) = adjacency(&parts);
        Self { parts, offsets, neighbors }
    }

    /// The links between two elements, usable or not, either way round. O(m).
    pub fn links_between(&self, a: u32, b: u32) -> impl Iterator<Item = u32> {
        self.parts.links.iter().enumerate().filter_map(move |(index, link)| {
            ((link.a, link.b) == (a, b) || (link.a, link.b) == (b, a)).then_some(index as u32)
        })
    }
}

fn is_usable(parts: &FabricParts, link: &Link) -> bool {
    link.state == State::Up
        && parts.elements[link.a as usize].state == State::Up
        && parts.elements[link.b as usize].state == State::Up
}

/// Neighbors in compressed rows, by counting: O(n + m), then each row is sorted.
fn adjacency(parts: &FabricParts) -> (Vec<u32>, Vec<Neighbor>) {
    let usable = || parts.links.iter().enumerate().filter(|(_, link)| is_usable(parts, link));
    let mut offsets = vec![0_u32; parts.elements.len() + 1];
    for (_, link) in usable() {
        offsets[link.a as usize + 1] += 1;
        offsets[link.b as usize + 1] += 1;
    }
    for e in 0..parts.elements.len() {
        offsets[e + 1] += offsets[e];
    }
    let mut next = offsets.clone();
    let mut neighbors =
        vec![Neighbor { element: 0, link: 0 }; offsets[parts.elements.len()] as usize];
    for (index, link) in usable() {
        for (from, to) in [(link.a, link.b), (link.b, link.a)] {
            let place = &mut next[from as usize];
            neighbors[*place as usize] = Neighbor { element: to, link: index as u32 };
            *place += 1;
        }
    }
    for e in 0..parts.elements.len() {
        neighbors[offsets[e] as usize..offsets[e + 1] as usize].sort_unstable();
    }
    (offsets, neighbors)
}

fn check_elements(parts: &FabricParts) -> Result<(), Problem> {
    let count = parts.elements.len();
    if count > ELEMENTS_MAX {
        return Err(Problem::new("elements", count, "at most 1,048,576 elements"));
    }
    let slots: u64 = parts.elements.iter().map(|e| u64::from(e.capacity)).sum();
    if slots > u64::from(u32::MAX >> 4) {
        return Err(Problem::new("capacity", slots, "at most 268,435,455 slots in all"));
    }
    let mut ids: Vec<&str> = parts.elements.iter().map(|e| &*e.id).collect();
    ids.sort_unstable();
    if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Problem::new("elements.id", pair[0], "an id that no other element has"));
    }
    for element in &parts.elements {
        let is_wrong = |c: char| c.is_control() || "[],".contains(c);
        if element.id.is_empty() || element.id.contains(is_wrong) {
            let expected = "a name without brackets and commas, which make lists of names";
            return Err(Problem::new("elements.id", &element.id, expected));
        }
        if element.kind == Kind::Switch && element.capacity > 0 {
            let field = format!("elements[{}].capacity", element.id);
            return Err(Problem::new(field, element.capacity, "0 for a switch: it holds no rank"));
        }
    }
    Ok(())
}

fn check_links(parts: &FabricParts) -> Result<(), Problem> {
    if parts.links.len() > LINKS_MAX {
        return Err(Problem::new("links", parts.links.len(), "at most 8,388,608 links"));
    }
    for (index, link) in parts.links.iter().enumerate() {
        for (end, name) in [(link.a, "a"), (link.b, "b")] {
            if end as usize >= parts.elements.len() {
                let field = format!("links[{index}].{name}");
                return Err(Problem::new(field, end, "an element that exists"));
            }
        }
        if link.a == link.b {
            let id = &parts.elements[link.a as usize].id;
            let field = format!("links[{index}].b");
            return Err(Problem::new(field, id, "another element than `a`"));
        }
    }
    Ok(())
}

fn check_ports(parts: &FabricParts) -> Result<(), Problem> {
    for (index, ports) in parts.ports.iter().enumerate() {
        let listed: &[u32] = match &ports.partners {
            Partners::Any => &[],
            Partners::Listed(listed) => listed,
        };
        for &end in listed.iter().chain([&ports.element]) {
            if end as usize >= parts.elements.len() {
                return Err(Problem::new(format!("ports[{index}]"), end, "elements that exist"));
            }
        }
        if listed.contains(&ports.element) {
            let id = &parts.elements[ports.element as usize].id;
            let field = format!("ports[{index}].partners");
            return Err(Problem::new(field, id, "elements other than the ports' own"));
        }
    }
    Ok(())
}

fn check_levels(parts: &FabricParts) -> Result<(), Problem> {
    for level in &parts.levels {
        let field = format!("levels[{}]", level.name);
        if level.of.len() != parts.elements.len() {
            return Err(Problem::new(field, level.of.len(), "one domain, or none, per element"));
        }
        if parts.levels.iter().filter(|other| other.name == level.name).count() > 1 {
            return Err(Problem::new("levels", &level.name, "names that differ"));
        }
        if let Some(far) = level.of.iter().flatten().find(|d| **d as usize >= level.domains.len()) {
            return Err(Problem::new(field, far, "a domain that exists"));
        }
    }
    Ok(())
}
