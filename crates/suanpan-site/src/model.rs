//! Site models: code that behaves as a site's own workload manager would, event by event, built
//! from the scheduler's policies. A model can be loaded with the live state of a site.

pub mod gpu_sharing;
