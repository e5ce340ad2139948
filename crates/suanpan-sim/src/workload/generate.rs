//! Synthetic workloads.

pub mod steady;
