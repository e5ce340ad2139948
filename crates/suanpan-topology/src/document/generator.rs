//! Generated fabrics as they are written.

use serde::{Deserialize, Serialize};

use crate::fabric::{Fabric, Grid, Kind, Twist, Wrap};
use crate::generate::{self, BlockTerms, Blocks, Dragonfly, DragonflyTerms, Join, LinkTerms};
use crate::problem::Problem;
use crate::units::Micrometers;

/// A regular fabric by its `shape` and a few numbers. `links` are the terms of each dimension's or
/// layer's links, the last for all that follow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "shape", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Generator {
    /// Elements in a grid.
    Mesh {
        /// Length of each dimension; the last varies fastest.
        lengths: Vec<u32>,
        /// What the elements are.
        #[serde(default)]
        element: Kind,
        /// Ranks an element may hold.
        #[serde(default = "one")]
        capacity: u32,
        /// Terms of links.
        links: Vec<LinkTerms>,
    },
    /// A grid with its ends joined.
    Torus {
        /// Length of each dimension; the last varies fastest.
        lengths: Vec<u32>,
        /// Which dimensions are joined; all, if left out.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        wraps: Vec<Wrap>,
        /// What the elements are.
        #[serde(default)]
        element: Kind,
        /// Ranks an element may hold.
        #[serde(default = "one")]
        capacity: u32,
        /// Terms of links.
        links: Vec<LinkTerms>,
    },
    /// A torus whose closing links are shifted.
    TwistedTorus {
        /// Length of each dimension; the last varies fastest.
        lengths: Vec<u32>,
        /// The shifts; those of k × k × 2k and k × 2k × 2k, if left out.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        twists: Vec<Twist>,
        /// What the elements are.
        #[serde(default)]
        element: Kind,
        /// Ranks an element may hold.
        #[serde(default = "one")]
        capacity: u32,
        /// Terms of links.
        links: Vec<LinkTerms>,
    },
    /// Leaves under layers of switches.
    FatTree {
        /// Children of a switch of each layer, the lowest first.
        children: Vec<u32>,
        /// Switches above each vertex below each layer; one, if left out: a plain tree.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        parents: Vec<u32>,
        /// What the leaves are.
        #[serde(default)]
        element: Kind,
        /// Ranks a leaf may hold.
        #[serde(default = "one")]
        capacity: u32,
        /// Terms of links.
        links: Vec<LinkTerms>,
    },
    /// Groups of routers, all joined.
    Dragonfly {
        /// Groups.
        groups: u32,
        /// Routers of a group.
        routers: u32,
        /// Terminals of a router.
        terminals: u32,
        /// Global links of a router.
        global: u32,
        /// What the terminals are.
        #[serde(default)]
        element: Kind,
        /// Ranks a terminal may hold.
        #[serde(default = "one")]
        capacity: u32,
        /// Terms of links: terminal, local, global.
        links: Vec<LinkTerms>,
    },
    /// Racks of chips behind one switch each, joined by rails.
    Blocks {
        /// Racks.
        blocks: u32,
        /// Nodes of a rack.
        nodes: u32,
        /// Chips of a node.
        chips: u32,
        /// Spine switches of the rails; none, if left out.
        #[serde(default)]
        spines: u32,
        /// Terms of links: scale-up, rail, spine.
        links: Vec<LinkTerms>,
    },
    /// Whole dies on a disc.
    Wafer {
        /// Diameter of the disc.
        diameter: Micrometers,
        /// Rim without dies.
        #[serde(default)]
        edge: Micrometers,
        /// Width of a die with its part of the street.
        die_width: Micrometers,
        /// Height of a die with its part of the street.
        die_height: Micrometers,
        /// Terms of links: down a column, then along a row.
        links: Vec<LinkTerms>,
    },
    /// A mesh of dies in tiles with other links between tiles.
    Tiled {
        /// Rows and columns of tiles.
        tiles: [u32; 2],
        /// Rows and columns of dies of a tile.
        tile: [u32; 2],
        /// Terms of links: within a tile, across its border.
        links: Vec<LinkTerms>,
    },
    /// A fabric whose elements are fabrics.
    Hierarchy {
        /// What joins the copies.
        outer: Box<Generator>,
        /// What each element of the outer fabric is.
        inner: Box<Generator>,
        /// What a copy is called among the levels.
        level: String,
        /// How outer links meet a copy.
        #[serde(default)]
        join: JoinEntry,
        /// For `join = "hub"`: terms of the links to the hub.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        links: Vec<LinkTerms>,
    },
}

/// How outer links meet a copy of the inner fabric: [`Join`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JoinEntry {
    /// At a switch joined to every computing element.
    #[default]
    Hub,
    /// At the first computing element.
    First,
    /// At every computing element.
    Each,
}

fn one() -> u32 {
    1
}

/// How deep hierarchies may be nested.
const DEPTH_MAX: usize = 8;

impl Generator {
    /// Generates the fabric.
    ///
    /// # Errors
    /// What the generator refuses, its field within `generate`.
    pub fn build(&self, name: &str) -> Result<Fabric, Problem> {
        self.build_within(name, DEPTH_MAX).map_err(|problem| problem.within("generate"))
    }

    /// Area of a die in mm², if this is a wafer.
    pub(super) fn die_area_mm2(&self) -> Option<f64> {
        match self {
            Generator::Wafer { die_width, die_height, .. } => {
                Some(die_width.0 as f64 * die_height.0 as f64 / 1e6)
            }
            _ => None,
        }
    }

    fn build_within(&self, name: &str, depth: usize) -> Result<Fabric, Problem> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(Problem::new("outer", "nested", "at most 8 hierarchies in each other"));
        };
        match self {
            Generator::Mesh { lengths, element, capacity, links } => {
                let grid = Grid::new(lengths, Wrap::Open);
                holding(*capacity, generate::grid(name, grid, *element, links)?)
            }
            Generator::Torus { lengths, wraps, element, capacity, links } => {
                let mut grid = Grid::new(lengths, Wrap::Closed);
                if !wraps.is_empty() {
                    grid.wraps.clone_from(wraps);
                }
                holding(*capacity, generate::grid(name, grid, *element, links)?)
            }
            Generator::TwistedTorus { lengths, twists, element, capacity, links } => {
                holding(*capacity, twisted(name, lengths, twists, *element, links)?)
            }
            Generator::FatTree { children, parents, element, capacity, links } => {
                let single = vec![1; children.len()];
                let parents = if parents.is_empty() { &single } else { parents };
                holding(*capacity, generate::fat_tree(name, children, parents, *element, links)?)
            }
            Generator::Dragonfly {
                groups,
                routers,
                terminals,
                global,
                element,
                capacity,
                links,
            } => {
                let (groups, routers, terminals, global) = (*groups, *routers, *terminals, *global);
                let shape = Dragonfly { groups, routers, terminals, global };
                let [terminal, local, global] = exactly(links)?;
                let terms = DragonflyTerms { terminal, local, global };
                holding(*capacity, generate::dragonfly(name, shape, *element, &terms)?)
            }
            &Generator::Blocks { blocks, nodes, chips, spines, ref links } => {
                let shape = Blocks { blocks, nodes, chips, spines };
                let [scale_up, rail, spine] = match (spines, links.as_slice()) {
                    (0, [scale_up]) => [*scale_up, LinkTerms::default(), LinkTerms::default()],
                    _ => exactly(links)?,
                };
                generate::blocks(name, shape, &BlockTerms { scale_up, rail, spine })
            }
            &Generator::Wafer { diameter, edge, die_width, die_height, ref links } => {
                let disc = generate::Wafer { diameter, edge, die_width, die_height };
                generate::wafer(name, disc, links)
            }
            Generator::Tiled { tiles, tile, links } => {
                let [within, across] = exactly(links)?;
                generate::tiled(name, *tiles, *tile, within, across)
            }
            Generator::Hierarchy { outer, inner, level, join, links } => {
                let part = |part: &Generator, field: &str| {
                    part.build_within(name, depth).map_err(|problem| problem.within(field))
                };
                let join = match join {
                    JoinEntry::Hub => Join::Hub(exactly::<1>(links)?[0]),
                    JoinEntry::First => Join::First,
                    JoinEntry::Each => Join::Each,
                };
                generate::compose(name, &part(outer, "outer")?, &part(inner, "inner")?, level, join)
            }
        }
    }
}

/// The two usual twists, or the ones that are given.
fn twisted(
    name: &str,
    lengths: &[u32],
    twists: &[Twist],
    element: Kind,
    links: &[LinkTerms],
) -> Result<Fabric, Problem> {
    if twists.is_empty() {
        return generate::twisted_torus(name, lengths, element, links);
    }
    let grid = Grid { twists: twists.to_vec(), ..Grid::new(lengths, Wrap::Closed) };
    generate::grid(name, grid, element, links)
}

fn holding(capacity: u32, fabric: Fabric) -> Result<Fabric, Problem> {
    if capacity == 1 {
        return Ok(fabric);
    }
    if capacity == 0 {
        return Err(Problem::new("capacity", capacity, "at least 1, or `element = \"switch\"`"));
    }
    let mut parts = fabric.into_parts();
    for element in parts.elements.iter_mut().filter(|element| element.capacity > 0) {
        element.capacity = capacity;
    }
    Fabric::new(parts)
}

fn exactly<const N: usize>(links: &[LinkTerms]) -> Result<[LinkTerms; N], Problem> {
    links.try_into().map_err(|_| {
        let value = format!("a list of {}", links.len());
        Problem::new("links", value, &format!("the terms of {N} kinds of links"))
    })
}
