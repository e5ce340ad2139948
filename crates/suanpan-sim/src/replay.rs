//! Replays: one run of a workload through a site model, to an outcome per job.

pub mod elastic;
