//! Synthetic workloads: drawn from a published model, or from one fitted to a log.

mod estimate;
pub mod fitted;
mod gamma;
pub mod lublin;
pub mod steady;

pub use estimate::Estimates;
