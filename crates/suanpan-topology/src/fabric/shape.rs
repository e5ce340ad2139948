//! The regular forms whose distances have closed forms.

use serde::{Deserialize, Serialize};

use super::{FabricParts, Kind};
use crate::problem::Problem;

/// The regular form of a fabric, if it was generated in one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// None known.
    #[default]
    Irregular,
    /// A mesh, a torus or a twisted torus of all elements, in the order of [`Grid::index`].
    Grid(Grid),
    /// A tree or fat tree of switches over equal leaves, which come first and in order: leaves
    /// `0..children[0]` are under the same switches of layer 1, `0..children[0] * children[1]`
    /// under the same of layer 2, and so on.
    Tree {
        /// Children of a switch of each layer, the lowest layer first.
        children: Vec<u32>,
    },
}

/// A twist: going around dimension `around` moves `by` steps along dimension `along` as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Twist {
    /// The dimension whose closing links are twisted, from 0.
    pub around: usize,
    /// The dimension they shift, from 0; its own closing links are plain.
    pub along: usize,
    /// By how many steps.
    pub by: u32,
}

/// Whether the ends of a dimension are joined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wrap {
    /// They are not: a mesh.
    #[default]
    Open,
    /// They are: a torus.
    Closed,
}

/// The most dimensions of a grid.
pub const DIMENSIONS_MAX: usize = 8;

/// A grid of elements, neighbors one step apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Length of each dimension; the last varies fastest in [`Grid::index`], so that of
    /// `[rows, columns]` element `row * columns + column` is at (row, column).
    pub lengths: Vec<u32>,
    /// For each dimension, whether its ends are joined.
    pub wraps: Vec<Wrap>,
    /// Twists of closed dimensions.
    pub twists: Vec<Twist>,
}

impl Grid {
    /// A mesh (`Wrap::Open`) or a torus (`Wrap::Closed`) of the given lengths.
    #[must_use]
    pub fn new(lengths: &[u32], wrap: Wrap) -> Self {
        Self { lengths: lengths.to_vec(), wraps: vec![wrap; lengths.len()], twists: Vec::new() }
    }

    /// How many elements there are; `u64` because it may be asked before the grid is checked.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.lengths.iter().fold(1, |count, &length| count.saturating_mul(u64::from(length)))
    }

    /// The number of the element at these coordinates.
    #[must_use]
    pub fn index(&self, coordinates: &[u32]) -> u32 {
        self.lengths.iter().zip(coordinates).fold(0, |index, (length, c)| index * length + c)
    }

    /// The coordinates of an element.
    #[must_use]
    pub fn coordinates(&self, index: u32) -> Vec<u32> {
        let mut coordinates = vec![0; self.lengths.len()];
        let mut rest = index;
        for (coordinate, length) in coordinates.iter_mut().zip(&self.lengths).rev() {
            *coordinate = rest % length;
            rest /= length;
        }
        coordinates
    }

    /// The element one step further along a dimension, if there is a link that way. From a
    /// dimension of length 1 there is none, and of length 2 the closing link is the only link.
    #[must_use]
    pub fn next(&self, index: u32, dimension: usize) -> Option<u32> {
        let mut coordinates = self.coordinates(index);
        let length = self.lengths[dimension];
        if coordinates[dimension] + 1 < length {
            coordinates[dimension] += 1;
            return Some(self.index(&coordinates));
        }
        if self.wraps[dimension] == Wrap::Open {
            return None;
        }
        coordinates[dimension] = 0;
        let mut is_twisted = false;
        for twist in self.twists.iter().filter(|twist| twist.around == dimension) {
            let along = self.lengths[twist.along];
            is_twisted |= twist.by % along != 0;
            coordinates[twist.along] = (coordinates[twist.along] + twist.by) % along;
        }
        // Two elements in a plain ring of two are joined once, as hardware does.
        (is_twisted || length > 2).then(|| self.index(&coordinates))
    }

    /// Lengths are positive, twists join closed dimensions and shift untwisted ones.
    ///
    /// # Errors
    /// The first thing wrong.
    pub fn check(&self) -> Result<(), Problem> {
        if !(1..=DIMENSIONS_MAX).contains(&self.lengths.len()) || self.lengths.contains(&0) {
            let value = format!("{:?}", self.lengths);
            return Err(Problem::new("lengths", value, "one to eight lengths, each at least 1"));
        }
        if self.wraps.len() != self.lengths.len() {
            return Err(Problem::new("wraps", self.wraps.len(), "one for each dimension"));
        }
        let closed = |dimension: usize| self.wraps.get(dimension) == Some(&Wrap::Closed);
        for (index, twist) in self.twists.iter().enumerate() {
            let value = format!("around {} along {}", twist.around, twist.along);
            let field = format!("twists[{index}]");
            if twist.around == twist.along || !closed(twist.around) || !closed(twist.along) {
                return Err(Problem::new(field, value, "two different closed dimensions"));
            }
            if self.twists.iter().any(|other| other.around == twist.along) {
                let expected = "to shift a dimension that is not twisted itself";
                return Err(Problem::new(field, value, expected));
            }
        }
        Ok(())
    }

    /// Steps from one element to another in a mesh or torus without twists, nothing broken: the
    /// sum over dimensions. O(dimensions).
    #[must_use]
    pub fn steps(&self, from: u32, to: u32) -> u32 {
        self.steps_between(&self.coordinates(from), &self.coordinates(to))
    }

    /// The same for coordinates.
    #[must_use]
    pub fn steps_between(&self, from: &[u32], to: &[u32]) -> u32 {
        let mut steps = 0;
        for dimension in 0..self.lengths.len() {
            let apart = from[dimension].abs_diff(to[dimension]);
            steps += match self.wraps[dimension] {
                Wrap::Open => apart,
                Wrap::Closed => apart.min(self.lengths[dimension] - apart),
            };
        }
        steps
    }

    /// The element that lies from element 0 as `to` lies from `from`, all dimensions closed. A
    /// (twisted) torus is the same seen from each element (it is a Cayley graph of an abelian
    /// group: Cámara et al., "Twisted torus topologies for enhanced interconnection networks",
    /// IEEE TPDS 21(12), 2010), so one row of distances serves all. O(dimensions × twists).
    #[must_use]
    pub fn difference(&self, from: u32, to: u32) -> u32 {
        let count = self.lengths.len();
        let mut apart = [0_i64; DIMENSIONS_MAX];
        let (mut from, mut to) = (from, to);
        for dimension in (0..count).rev() {
            let length = self.lengths[dimension];
            apart[dimension] = i64::from(to % length) - i64::from(from % length);
            (from, to) = (from / length, to / length);
        }
        for dimension in 0..count {
            if apart[dimension] < 0 {
                // A full turn forward around `dimension` is a shift by its twists.
                apart[dimension] += i64::from(self.lengths[dimension]);
                for twist in self.twists.iter().filter(|twist| twist.around == dimension) {
                    apart[twist.along] -= i64::from(twist.by);
                }
            }
        }
        self.lengths.iter().zip(apart).fold(0, |index, (&length, apart)| {
            index * length + apart.rem_euclid(i64::from(length)) as u32
        })
    }
}

impl Shape {
    /// Whether as many elements are there as the shape has. That links are as the shape says is
    /// the generators' promise.
    pub(super) fn check(&self, parts: &FabricParts) -> Result<(), Problem> {
        let there = parts.elements.len() as u64;
        match self {
            Shape::Irregular => Ok(()),
            Shape::Grid(grid) => {
                grid.check()?;
                if grid.count() != there {
                    return Err(Problem::new("lengths", grid.count(), "as many as elements"));
                }
                Ok(())
            }
            Shape::Tree { children } => {
                let leaves = children.iter().fold(1_u64, |n, &c| n.saturating_mul(c.into()));
                let first = parts.elements.iter().take_while(|e| e.kind != Kind::Switch).count();
                if children.is_empty() || leaves == 0 || leaves != first as u64 {
                    let value = format!("{children:?}");
                    return Err(Problem::new("children", value, "as many leaves as elements"));
                }
                Ok(())
            }
        }
    }
}
