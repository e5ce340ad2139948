//! Meshes, tori and twisted tori.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::fabric::{
    ELEMENTS_MAX, Element, Fabric, FabricParts, Grid, Kind, Link, Position, Shape, State, Twist,
    Wrap,
};
use crate::problem::Problem;
use crate::units::{BitsPerSecond, FemtojoulesPerBit, Picoseconds};

/// What the links of one group have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkTerms {
    /// Bandwidth of each direction.
    pub bandwidth: BitsPerSecond,
    /// Latency from end to end.
    #[serde(default)]
    pub latency: Picoseconds,
    /// Energy to move one bit.
    #[serde(default)]
    pub energy: FemtojoulesPerBit,
}

impl LinkTerms {
    /// A link of this group that is up.
    #[must_use]
    pub fn link(&self, a: u32, b: u32, group: &Arc<str>) -> Link {
        Link {
            a,
            b,
            bandwidth: self.bandwidth,
            latency: self.latency,
            energy: self.energy,
            state: State::Up,
            group: Arc::clone(group),
        }
    }
}

/// A mesh of `kind` elements of capacity 1.
///
/// # Errors
/// If a length is 0 or there are too many elements.
pub fn mesh(name: &str, lengths: &[u32], kind: Kind, terms: LinkTerms) -> Result<Fabric, Problem> {
    grid(name, Grid::new(lengths, Wrap::Open), kind, &[terms])
}

/// A torus of `kind` elements of capacity 1. A dimension of length 2 has one link, not two.
///
/// # Errors
/// If a length is 0 or there are too many elements.
pub fn torus(name: &str, lengths: &[u32], kind: Kind, terms: LinkTerms) -> Result<Fabric, Problem> {
    grid(name, Grid::new(lengths, Wrap::Closed), kind, &[terms])
}

/// The twisted torus of lengths k × k × 2k or k × 2k × 2k (any order of dimensions): going once
/// around a short dimension moves k along each long one. These are the prismatic lattice graphs
/// FCC(k) and BCC(k) of Camarero, Martínez and Beivide, "Lattice graphs for high-scale
/// interconnection topologies" (IEEE TPDS 26(9), 2015), which TPU v4 uses for slices of such
/// shapes (Jouppi et al., "TPU v4", ISCA 2023, section 2.8).
///
/// # Errors
/// If the lengths are not k (once or more) and 2k (once or more).
pub fn twisted_torus(
    name: &str,
    lengths: &[u32],
    kind: Kind,
    terms: &[LinkTerms],
) -> Result<Fabric, Problem> {
    let mut grid_shape = Grid::new(lengths, Wrap::Closed);
    let short = lengths.iter().copied().min().unwrap_or(0);
    let is_long = |length: u32| u64::from(length) == 2 * u64::from(short);
    let fits = lengths.iter().all(|&length| length == short || is_long(length));
    if !fits || !lengths.iter().any(|&length| is_long(length)) {
        let value = format!("{lengths:?}");
        return Err(Problem::new("lengths", value, "some lengths k and some 2k, as [4, 4, 8]"));
    }
    for around in (0..lengths.len()).filter(|&d| lengths[d] == short) {
        for along in (0..lengths.len()).filter(|&d| is_long(lengths[d])) {
            grid_shape.twists.push(Twist { around, along, by: short });
        }
    }
    grid(name, grid_shape, kind, terms)
}

/// Any grid. `terms` are those of each dimension's links, the last one for all that follow; the
/// groups of links are called `x`, `y`, `z`, `w` and then `d4`, `d5`, …, the *last* dimension
/// (which varies fastest) being `x`. O(elements × dimensions).
///
/// # Errors
/// If the grid is not consistent, too large, or `terms` is empty.
pub fn grid(name: &str, shape: Grid, kind: Kind, terms: &[LinkTerms]) -> Result<Fabric, Problem> {
    shape.check()?;
    let Some(&last_terms) = terms.last() else {
        return Err(Problem::new("links", "nothing", "terms for at least one dimension"));
    };
    if shape.count() > ELEMENTS_MAX as u64 {
        return Err(Problem::new("lengths", shape.count(), "at most 1,048,576 elements"));
    }
    let dimensions = shape.lengths.len();
    let mut parts = FabricParts { name: name.to_owned(), ..FabricParts::default() };
    for index in 0..shape.count() as u32 {
        parts.elements.push(element(&shape, index, kind));
    }
    for dimension in 0..dimensions {
        let group: Arc<str> = match dimensions - 1 - dimension {
            from_last @ 0..4 => ["x", "y", "z", "w"][from_last].into(),
            from_last => format!("d{from_last}").into(),
        };
        let terms = terms.get(dimension).copied().unwrap_or(last_terms);
        for index in 0..shape.count() as u32 {
            if let Some(next) = shape.next(index, dimension).filter(|&next| next != index) {
                parts.links.push(terms.link(index, next, &group));
            }
        }
    }
    parts.shape = Shape::Grid(shape);
    Fabric::new(parts)
}

fn element(shape: &Grid, index: u32, kind: Kind) -> Element {
    let coordinates = shape.coordinates(index);
    let letter = match kind {
        Kind::Die => "d",
        Kind::Chip => "c",
        Kind::Node => "n",
        Kind::Site => "s",
        Kind::Switch => "w",
    };
    let words: Vec<String> = coordinates.iter().map(u32::to_string).collect();
    let across = coordinates.last().copied().unwrap_or(0);
    let down = if coordinates.len() > 1 { coordinates[coordinates.len() - 2] } else { 0 };
    Element {
        id: format!("{letter}{}", words.join("-")).into(),
        kind,
        capacity: u32::from(kind != Kind::Switch),
        state: State::Up,
        position: (coordinates.len() <= 2)
            .then(|| Position { x: f64::from(across), y: f64::from(down) }),
    }
}
