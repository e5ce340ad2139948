//! Site models: stateful, event driven code that behaves as a site's workload manager would.
//!
//! A model is built from the policies of `suanpan-sched`. It owns the job type of its kind of
//! site, is told what is submitted, and tells what starts and ends and when. It can be loaded with
//! the state of a live site.

pub mod batch;
pub mod elastic;
pub mod gpu_sharing;
