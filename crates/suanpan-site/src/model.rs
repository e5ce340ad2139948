//! Site models: code that behaves as a site's workload manager would, built from
//! `suanpan-sched`'s policies. They answer "when would this start" for a live site, and they are
//! the simulator's sites.

pub mod elastic;
