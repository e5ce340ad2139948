//! One run: a workload at one site model or at a network of them, to outcomes of each job.

pub mod batch;
