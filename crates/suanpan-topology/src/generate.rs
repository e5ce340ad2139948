//! Regular fabrics from a few numbers.

mod grid;
mod tree;

pub use grid::{LinkTerms, grid, mesh, torus, twisted_torus};
pub use tree::tree;
