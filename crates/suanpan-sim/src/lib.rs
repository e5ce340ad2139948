//! The simulator: virtual time, workloads, simulated sites, around the scheduler and the site
//! models that the live network uses.
//!
//! It supplies time, sites, workloads and faults, and never a decision: policies are
//! `suanpan-sched`'s, the behaviour of a site's workload manager is `suanpan-site`'s. Random
//! numbers come from one [stream](streams) per kind of thing, so the same experiment and seed
//! give the same bytes.

pub mod experiment;
pub mod input;
pub mod metrics;
pub mod output;
pub mod problem;
pub mod replay;
pub mod report;
pub mod streams;
pub mod summary;
pub mod workload;

#[cfg(test)]
mod test_data;
