//! Runs: a workload through sites in virtual time, and what became of each job.

pub mod batch;
pub mod elastic;
pub mod network;
pub mod packing;
