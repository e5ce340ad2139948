//! One run: a workload, a site model and a seed, and what became of each job.

pub mod packing;
