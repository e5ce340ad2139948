//! Rules by which traffic finds its way, for estimates.

use std::collections::BTreeMap;

use super::{Direction, chosen, closer, direction};
use crate::distance::{UNREACHABLE, hops_from};
use crate::fabric::{DIMENSIONS_MAX, Fabric, Grid, Shape, Wrap};
use crate::problem::Problem;

/// How traffic finds its way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Routing {
    /// One shortest path for each pair, the one that mapping counts with: [`super::Routes`].
    Shortest,
    /// At each element an equal share over every link that leads closer: equal-cost multi-path
    /// routing with many flows (Thaler and Hopps, RFC 2991; Hopps, RFC 2992).
    #[default]
    EqualSplit,
    /// Dimension by dimension in a mesh or torus, the last dimension first, each the shorter way
    /// round and half each way where both are equal (Dally and Towles, "Principles and practices
    /// of interconnection networks", 2004, section 8.4.2). It does not go round what is broken.
    DimensionOrdered,
    /// These paths and no others.
    Given(Paths),
}

/// A path for each pair of elements that communicate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths(BTreeMap<(u32, u32), Vec<Direction>>);

impl Paths {
    /// Checks that each path, as directions of links, leads over what is usable from the first of
    /// its pair of elements to the second. O(all steps · log pairs).
    ///
    /// # Errors
    /// The first path that does not.
    pub fn new(
        fabric: &Fabric,
        paths: impl IntoIterator<Item = ((u32, u32), Vec<Direction>)>,
    ) -> Result<Self, Problem> {
        let mut checked = BTreeMap::new();
        for ((from, to), path) in paths {
            let wrong = |value: Direction, expected| {
                Problem::new(format!("paths[{from}, {to}]"), value, expected)
            };
            let mut at = from;
            for &step in &path {
                let Some(link) = fabric.links().get(step as usize / 2) else {
                    return Err(wrong(step, "a direction of a link that exists"));
                };
                if !fabric.is_usable(step / 2) {
                    return Err(wrong(step, "links that are up"));
                }
                let (start, end) = if step & 1 == 0 { (link.a, link.b) } else { (link.b, link.a) };
                if start != at {
                    return Err(wrong(step, "each step to begin where the one before ends"));
                }
                at = end;
            }
            if at != to {
                return Err(wrong(at, "a path that ends at the second element of its pair"));
            }
            checked.insert((from, to), path);
        }
        Ok(Self(checked))
    }

    /// The path from one element to another, if it is given.
    #[must_use]
    pub fn between(&self, from: u32, to: u32) -> Option<&[Direction]> {
        self.0.get(&(from, to)).map(Vec::as_slice)
    }
}

/// Where traffic to one element goes on from each other element: equal shares over directions.
pub(crate) struct Ways {
    /// Elements with a way, the destination first; each step leads to one that comes before.
    pub order: Vec<u32>,
    /// The directions from `order[i]` are `directions[start[i]..start[i + 1]]`.
    start: Vec<u32>,
    directions: Vec<Direction>,
}

impl Ways {
    /// The ways to `end` by a rule that looks at the destination only; [`Routing::Given`] has
    /// none of these. O(n log n + m).
    pub fn to(fabric: &Fabric, routing: &Routing, end: u32) -> Self {
        let grid = match fabric.shape() {
            Shape::Grid(grid) if *routing == Routing::DimensionOrdered => Some(grid),
            _ => None,
        };
        let hops = match grid {
            Some(grid) => (0..grid.count() as u32).map(|e| grid.steps(e, end)).collect(),
            None => hops_from(fabric, end),
        };
        let mut order: Vec<u32> = (0..hops.len() as u32)
            .filter(|&e| fabric.is_up(e) && hops[e as usize] != UNREACHABLE)
            .collect();
        order.sort_by_key(|&e| hops[e as usize]);
        let mut ways = Self { start: vec![0], directions: Vec::new(), order: Vec::new() };
        for &element in &order {
            if element != end {
                let over = |n| direction(fabric, element, n);
                match (routing, grid) {
                    (_, Some(grid)) => {
                        let next = next_in_order(grid, element, end);
                        let there = fabric.neighbors(element).iter().copied();
                        let there = there.filter(|n| next.contains(&Some(n.element)));
                        ways.directions.extend(there.map(over));
                    }
                    (Routing::Shortest, None) => {
                        ways.directions.extend(chosen(fabric, &hops, element, end).map(over));
                    }
                    _ => ways.directions.extend(closer(fabric, &hops, element).map(over)),
                }
            }
            ways.start.push(ways.directions.len() as u32);
        }
        Self { order, ..ways }
    }

    /// The directions from `order[place]`; none from the destination or where a rule is stuck.
    pub fn from(&self, place: usize) -> &[Direction] {
        &self.directions[self.start[place] as usize..self.start[place + 1] as usize]
    }
}

/// One step along the last dimension that still differs: one way, or both where they are equal.
fn next_in_order(grid: &Grid, from: u32, to: u32) -> [Option<u32>; 2] {
    let (mut rest_from, mut rest_to, mut stride) = (from, to, 1);
    for dimension in (0..grid.lengths.len().min(DIMENSIONS_MAX)).rev() {
        let length = grid.lengths[dimension];
        let (here, there) = (rest_from % length, rest_to % length);
        if here != there {
            let up = from - here * stride + (here + 1) % length * stride;
            let down = from - here * stride + (here + length - 1) % length * stride;
            let ahead = (there + length - here) % length;
            return match grid.wraps[dimension] {
                Wrap::Open if here < there => [Some(up), None],
                Wrap::Open => [Some(down), None],
                Wrap::Closed if ahead * 2 < length => [Some(up), None],
                Wrap::Closed if ahead * 2 > length => [Some(down), None],
                Wrap::Closed => [Some(up), Some(down)],
            };
        }
        (rest_from, rest_to, stride) = (rest_from / length, rest_to / length, stride * length);
    }
    [None, None]
}
