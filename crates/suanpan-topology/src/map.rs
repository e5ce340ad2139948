//! Mapping: which elements a job's ranks go to, and in which order.

mod anneal;
mod problem;
mod random;
mod tabu;
pub mod lab;
pub use problem::Problem;
pub use random::Random;
