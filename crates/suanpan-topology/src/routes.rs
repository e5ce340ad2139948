//! How traffic finds its way over links: one path for each pair of slots, which mapping counts
//! with, and [`Routing`] rules that may also split, which estimates count with.

mod routing;

pub(crate) use routing::Ways;
pub use routing::{Paths, Routing};

use crate::distance::{UNREACHABLE, hops_from};
use crate::fabric::{Fabric, Neighbor, Shape};
use crate::problem::Problem;
use crate::units::BitsPerSecond;

/// No way from here to there.
const NONE: u32 = u32::MAX;

/// The most cells of the table of next links: 256 MiB.
const CELLS_MAX: usize = 1 << 26;

/// A direction of a link: twice the link's position in the fabric's links, and one more from its
/// end `b` to its end `a`.
pub type Direction = u32;

/// Shortest paths, one for each pair: dimension by dimension in grids, the last dimension first
/// (dimension-ordered routing: Dally and Towles, "Principles and practices of interconnection
/// networks", 2004, section 8.4); elsewhere over the widest link that leads closer, and of equal
/// ones by destination modulo their number (D-mod-k: Zahavi, "Fat-tree routing and node ordering
/// providing contention free traffic for MPI global collectives", J. Parallel Distrib. Comput. 72,
/// 2012).
#[derive(Clone, Debug)]
pub struct Routes {
    slots: Vec<u32>,
    elements: usize,
    /// For each slot the row of its element in `next`.
    row_of: Vec<u32>,
    /// Row of a destination, column of an element: the direction to take there.
    next: Vec<Direction>,
    /// Where each direction leads.
    to: Vec<u32>,
    /// Bits per second of each direction, at least 1.
    rate: Vec<u64>,
}

impl Routes {
    /// Paths between slots on these elements over what is usable. O(d (n + m)) for d different
    /// elements among the slots, n elements and m links.
    ///
    /// # Errors
    /// If a slot's element does not exist or the table would be too large.
    pub fn shortest(fabric: &Fabric, slots: &[u32]) -> Result<Self, Problem> {
        let elements = fabric.elements().len();
        if let Some(slot) = slots.iter().find(|&&slot| slot as usize >= elements) {
            return Err(Problem::new("slots", slot, "elements that exist"));
        }
        let mut ends = slots.to_vec();
        ends.sort_unstable();
        ends.dedup();
        if ends.len().saturating_mul(elements) > CELLS_MAX {
            let expected = "at most 67,108,864 pairs of slot and element; group them first";
            return Err(Problem::new("slots", ends.len(), expected));
        }
        let row = |slot: &u32| ends.binary_search(slot).expect("every slot was listed") as u32;
        let mut next = Vec::with_capacity(ends.len() * elements);
        for &end in &ends {
            next.extend(toward(fabric, end));
        }
        let links = fabric.links();
        Ok(Self {
            slots: slots.to_vec(),
            elements,
            row_of: slots.iter().map(row).collect(),
            next,
            to: links.iter().flat_map(|link| [link.b, link.a]).collect(),
            rate: links.iter().flat_map(|link| [link.bandwidth.0.max(1); 2]).collect(),
        })
    }

    /// The directions from one slot to another; none if they share an element or there is no way.
    pub fn path(&self, from: u32, to: u32) -> impl Iterator<Item = Direction> + '_ {
        let row = self.row_of[to as usize] as usize * self.elements;
        let mut at = self.slots[from as usize];
        std::iter::from_fn(move || {
            let direction = self.next[row + at as usize];
            (direction != NONE).then(|| {
                at = self.to[direction as usize];
                direction
            })
        })
    }

    /// How many directions there are.
    #[must_use]
    pub fn directions(&self) -> usize {
        self.to.len()
    }

    /// Bits per second of a direction.
    #[must_use]
    pub fn rate(&self, direction: Direction) -> u64 {
        self.rate[direction as usize]
    }

    /// The slots' elements.
    #[must_use]
    pub fn slots(&self) -> &[u32] {
        &self.slots
    }
}

/// The direction from `element` over the link to a neighbor.
fn direction(fabric: &Fabric, element: u32, over: Neighbor) -> Direction {
    2 * over.link + u32::from(fabric.links()[over.link as usize].a != element)
}

/// The links that lead one hop closer to where `hops` are counted from: in grids all of them, whose
/// dimensions are equals; elsewhere the widest, as where cost falls with bandwidth (the usual link
/// metric: Cisco's reference bandwidth / bandwidth for OSPF, RFC 2328).
fn closer<'a>(
    fabric: &'a Fabric,
    hops: &'a [u32],
    element: u32,
) -> impl Iterator<Item = Neighbor> + Clone + 'a {
    // An element without a way has only neighbors without one.
    let here = hops[element as usize];
    let is_closer = move |n: &Neighbor| here != UNREACHABLE && hops[n.element as usize] + 1 == here;
    let all = fabric.neighbors(element).iter().copied().filter(is_closer);
    let width = |n: &Neighbor| fabric.links()[n.link as usize].bandwidth;
    let least = match fabric.shape() {
        Shape::Grid(_) => BitsPerSecond(0),
        _ => all.clone().map(|n| width(&n)).max().unwrap_or_default(),
    };
    all.filter(move |n| width(n) >= least)
}

/// The one of them that [`Routes::shortest`] takes on the way to `end`.
fn chosen(fabric: &Fabric, hops: &[u32], element: u32, end: u32) -> Option<Neighbor> {
    let mut closer = closer(fabric, hops, element);
    if matches!(fabric.shape(), Shape::Grid(_)) {
        // Along the last dimension numbers differ least.
        return closer.min_by_key(|n| (n.element.abs_diff(element), n.link));
    }
    let choices = closer.clone().count().max(1);
    closer.nth(end as usize % choices)
}

/// For each element the direction to take to `end`.
fn toward(fabric: &Fabric, end: u32) -> Vec<Direction> {
    let hops = hops_from(fabric, end);
    let next = |element: u32| match chosen(fabric, &hops, element, end) {
        Some(chosen) if element != end => direction(fabric, element, chosen),
        _ => NONE,
    };
    (0..hops.len() as u32).map(next).collect()
}
