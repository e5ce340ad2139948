//! How far slots are from each other, among what is usable.
//!
//! A whole mesh, torus or tree has a closed form: nothing is stored but a row. Everything else,
//! a wafer with dead dies or a network of sites, gets a table by breadth-first search (hops) or
//! Dijkstra's algorithm (weights).

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::fabric::{Fabric, Grid, Kind, Shape, State, Wrap};
use crate::problem::Problem;

/// The distance of two slots without a path between them.
pub const UNREACHABLE: u32 = u32::MAX;

/// The most elements of a table: 8,192² cells of 4 bytes are 256 MiB.
pub const TABLE_MAX: usize = 8_192;

/// Distances between slots. A *slot* is a place for one rank; slots are numbered from 0 in the
/// order given, and several may be on one element (at distance 0).
#[derive(Clone, Debug, PartialEq)]
pub struct Distances {
    slots: Vec<u32>,
    form: Form,
    /// The grid that the elements are of, whole or not.
    grid: Option<Grid>,
}

#[derive(Clone, Debug, PartialEq)]
enum Form {
    /// A whole mesh or torus, as [`Grid::steps`] but with the coordinates of all slots kept, so
    /// that nothing is divided: slot s is at `coordinates[s * dimensions..]`. O(dimensions).
    Steps { grid: Grid, coordinates: Vec<u32> },
    /// A whole twisted torus: the row of element 0, O(dimensions × twists).
    Row(Grid, Vec<u32>),
    /// Domains of nested levels: `apart[l]` if two are in one domain of level l and of none below,
    /// O(levels). Slot s is in domain `domains[s * levels + l]`.
    Levels { apart: Vec<u32>, domains: Vec<u32> },
    /// Everything else: slot s is row and column `places[s]`, O(1).
    Table { places: Vec<u32>, width: usize, cells: Vec<u32> },
}

impl Distances {
    /// Hops (links on a shortest path) between slots on these elements. A closed form if the
    /// fabric is whole; else a table of e² cells in O(e (n + m)) for e different elements among
    /// the slots, n elements and m links in all.
    ///
    /// # Errors
    /// If a slot's element does not exist, or a table would have more than [`TABLE_MAX`] elements.
    pub fn hops(fabric: &Fabric, slots: &[u32]) -> Result<Self, Problem> {
        check_slots(fabric, slots)?;
        let form = match fabric.shape() {
            Shape::Grid(grid) if is_whole(fabric) => {
                if grid.twists.is_empty() {
                    steps(grid, slots)
                } else if grid.wraps.iter().all(|&wrap| wrap == Wrap::Closed) {
                    Form::Row(grid.clone(), hops_from(fabric, 0))
                } else {
                    table(fabric, slots, &Metric::Hops)?
                }
            }
            Shape::Tree { children } if has_whole_links(fabric) => {
                let apart = (0..=children.len() as u32).map(|layer| 2 * layer).collect();
                tree_levels(children, slots, apart)
            }
            _ => table(fabric, slots, &Metric::Hops)?,
        };
        Ok(Self { slots: slots.to_vec(), form, grid: grid_of(fabric) })
    }

    /// Length of the shortest path, with a weight for each link (its position in
    /// [`Fabric::links`]): a table, in O(e (n + m) log n).
    ///
    /// # Errors
    /// If a slot's element does not exist, weights are missing, or the table would be too large.
    pub fn weighted(fabric: &Fabric, slots: &[u32], weights: &[u32]) -> Result<Self, Problem> {
        check_slots(fabric, slots)?;
        if weights.len() != fabric.links().len() {
            return Err(Problem::new("weights", weights.len(), "one weight for each link"));
        }
        let form = table(fabric, slots, &Metric::Weighted(weights))?;
        Ok(Self { slots: slots.to_vec(), form, grid: grid_of(fabric) })
    }

    /// Distance by hierarchy: `apart[0]` for two slots in one domain of the fabric's first level,
    /// `apart[1]` in one of the second and so on, the last number for slots that share none; 0 for
    /// slots of one element. This is the form `1:10:100` of process mapping (Schulz and Träff,
    /// "Better process mapping and sparse quadratic assignment", SEA 2017).
    ///
    /// # Errors
    /// If there are not as many numbers as levels and one more, or a slot's element does not exist.
    pub fn by_levels(fabric: &Fabric, slots: &[u32], apart: &[u32]) -> Result<Self, Problem> {
        check_slots(fabric, slots)?;
        let levels = fabric.levels();
        if apart.len() != levels.len() + 1 {
            let value = format!("{apart:?}");
            let expected = format!(
                "{} distances: one for each level, and one for slots apart \
                in all of them",
                levels.len() + 1
            );
            return Err(Problem::new("distances", value, &expected));
        }
        let mut all = vec![0];
        all.extend_from_slice(apart);
        let mut domains = Vec::with_capacity(slots.len() * (levels.len() + 2));
        for &slot in slots {
            domains.push(slot);
            for level in levels {
                // An element in no domain is alone there.
                let alone = level.domains.len() as u32 + slot;
                domains.push(level.of[slot as usize].unwrap_or(alone));
            }
            domains.push(0);
        }
        Ok(Self { slots: slots.to_vec(), form: Form::Levels { apart: all, domains }, grid: None })
    }

    /// How many slots there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no slot.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The elements of the slots.
    #[must_use]
    pub fn slots(&self) -> &[u32] {
        &self.slots
    }

    /// Distance between two slots; [`UNREACHABLE`] if there is no path. O(1) for tables, else
    /// O(dimensions) or O(levels).
    #[must_use]
    pub fn between(&self, a: usize, b: usize) -> u32 {
        match &self.form {
            Form::Steps { grid, coordinates } => {
                let count = grid.lengths.len();
                let (a, b) =
                    (&coordinates[a * count..][..count], &coordinates[b * count..][..count]);
                grid.steps_between(a, b)
            }
            Form::Row(grid, row) => row[grid.difference(self.slots[a], self.slots[b]) as usize],
            Form::Levels { apart, domains } => {
                let count = apart.len();
                let (a, b) = (&domains[a * count..][..count], &domains[b * count..][..count]);
                let shared = a.iter().zip(b).position(|(a, b)| a == b);
                apart[shared.expect("all are in the domain of the last level")]
            }
            Form::Table { places, width, cells } => {
                cells[places[a] as usize * width + places[b] as usize]
            }
        }
    }

    /// All distances, row by row: cell `a * len + b`. O(slots²) cells, for searches that look up
    /// far more often than that.
    #[must_use]
    pub fn table(&self) -> Vec<u32> {
        let n = self.len();
        let mut cells = Vec::with_capacity(n * n);
        for a in 0..n {
            cells.extend((0..n).map(|b| self.between(a, b)));
        }
        cells
    }

    /// For each dimension of the grid that the elements are of, every slot's coordinate; nothing
    /// if they are of none.
    pub(crate) fn axes(&self) -> Vec<Vec<u32>> {
        let Some(grid) = &self.grid else { return Vec::new() };
        let mut axes = vec![Vec::with_capacity(self.len()); grid.lengths.len()];
        for &slot in &self.slots {
            for (axis, coordinate) in axes.iter_mut().zip(grid.coordinates(slot)) {
                axis.push(coordinate);
            }
        }
        axes
    }

    /// Distances as if closed dimensions of the grid were open and not twisted and nothing were
    /// broken; none if there is no closed dimension. A torus has no ends to start from, and the
    /// mesh within it does.
    pub(crate) fn unwrapped(&self) -> Option<Self> {
        let grid = self.grid.as_ref()?;
        if grid.wraps.iter().all(|&wrap| wrap == Wrap::Open) {
            return None;
        }
        let open = Grid::new(&grid.lengths, Wrap::Open);
        let form = steps(&open, &self.slots);
        Some(Self { slots: self.slots.clone(), form, grid: Some(open) })
    }

    /// The largest distance of two slots; none if some are unreachable or there is no slot.
    /// O(slots²).
    #[must_use]
    pub fn diameter(&self) -> Option<u32> {
        let largest = (0..self.len())
            .flat_map(|a| (0..a).map(move |b| (a, b)))
            .map(|(a, b)| self.between(a, b))
            .max()
            .unwrap_or(0);
        (largest != UNREACHABLE && !self.is_empty()).then_some(largest)
    }
}

/// Hops from one element to all others, [`UNREACHABLE`] where there is no path. O(n + m).
#[must_use]
pub fn hops_from(fabric: &Fabric, source: u32) -> Vec<u32> {
    let mut hops = vec![UNREACHABLE; fabric.elements().len()];
    if !fabric.is_up(source) {
        return hops;
    }
    hops[source as usize] = 0;
    let mut queue = VecDeque::from([source]);
    while let Some(element) = queue.pop_front() {
        let there = hops[element as usize] + 1;
        for next in fabric.neighbors(element) {
            let place = &mut hops[next.element as usize];
            if *place == UNREACHABLE {
                *place = there;
                queue.push_back(next.element);
            }
        }
    }
    hops
}

/// Weights of the shortest paths from one element to all others, [`UNREACHABLE`] where there is
/// none; a sum that does not fit counts as the largest that does. O((n + m) log n).
#[must_use]
pub fn weights_from(fabric: &Fabric, source: u32, weights: &[u32]) -> Vec<u32> {
    let mut best = vec![UNREACHABLE; fabric.elements().len()];
    if !fabric.is_up(source) {
        return best;
    }
    best[source as usize] = 0;
    let mut queue = BinaryHeap::from([Reverse((0, source))]);
    while let Some(Reverse((so_far, element))) = queue.pop() {
        if so_far > best[element as usize] {
            continue;
        }
        for next in fabric.neighbors(element) {
            let there = so_far.saturating_add(weights[next.link as usize]).min(UNREACHABLE - 1);
            if there < best[next.element as usize] {
                best[next.element as usize] = there;
                queue.push(Reverse((there, next.element)));
            }
        }
    }
    best
}

fn grid_of(fabric: &Fabric) -> Option<Grid> {
    match fabric.shape() {
        Shape::Grid(grid) => Some(grid.clone()),
        _ => None,
    }
}

enum Metric<'a> {
    Hops,
    Weighted(&'a [u32]),
}

fn check_slots(fabric: &Fabric, slots: &[u32]) -> Result<(), Problem> {
    let count = fabric.elements().len();
    match slots.iter().find(|slot| **slot as usize >= count) {
        Some(slot) => Err(Problem::new("slots", slot, "elements that exist")),
        None => Ok(()),
    }
}

/// Whether nothing of the fabric is down.
fn is_whole(fabric: &Fabric) -> bool {
    fabric.elements().iter().all(|e| e.state == State::Up)
        && fabric.links().iter().all(|link| link.state == State::Up)
}

/// Whether a tree connects all leaves that are up: a dead leaf is in nobody's way.
fn has_whole_links(fabric: &Fabric) -> bool {
    let is_up = |kind: Kind, state: State| kind != Kind::Switch || state == State::Up;
    fabric.elements().iter().all(|e| is_up(e.kind, e.state))
        && fabric.links().iter().all(|link| link.state == State::Up)
}

fn steps(grid: &Grid, slots: &[u32]) -> Form {
    let coordinates = slots.iter().flat_map(|&slot| grid.coordinates(slot)).collect();
    Form::Steps { grid: grid.clone(), coordinates }
}

fn tree_levels(children: &[u32], slots: &[u32], apart: Vec<u32>) -> Form {
    let mut domains = Vec::with_capacity(slots.len() * apart.len());
    for &slot in slots {
        let mut domain = slot;
        domains.push(domain);
        for count in children {
            domain /= count;
            domains.push(domain);
        }
    }
    Form::Levels { apart, domains }
}

fn table(fabric: &Fabric, slots: &[u32], metric: &Metric<'_>) -> Result<Form, Problem> {
    let mut elements = slots.to_vec();
    elements.sort_unstable();
    elements.dedup();
    let width = elements.len();
    if width > TABLE_MAX {
        let expected = "at most 8,192 elements in one table; group them and map the groups first";
        return Err(Problem::new("slots", width, expected));
    }
    let place = |slot: &u32| elements.binary_search(slot).expect("every slot was listed") as u32;
    let places = slots.iter().map(place).collect();
    let mut cells = Vec::with_capacity(width * width);
    for &source in &elements {
        let row = match metric {
            Metric::Hops => hops_from(fabric, source),
            Metric::Weighted(weights) => weights_from(fabric, source, weights),
        };
        cells.extend(elements.iter().map(|&to| row[to as usize]));
    }
    Ok(Form::Table { places, width, cells })
}
