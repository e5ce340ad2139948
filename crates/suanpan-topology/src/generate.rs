//! Regular fabrics from a few numbers.

mod compose;
mod dragonfly;
mod grid;
mod nvl;
#[cfg(test)]
mod tests;
mod tree;
mod wafer;

pub use compose::{Join, compose, tiled};
pub use dragonfly::{Dragonfly, DragonflyTerms, dragonfly};
pub use grid::{LinkTerms, grid, mesh, torus, twisted_torus};
pub use nvl::{BlockTerms, Blocks, blocks};
pub use tree::{fat_tree, tree};
pub use wafer::{Defects, Wafer, defect_chance, wafer};
