//! Deciding where and when jobs run: a function from a snapshot to a plan.
//!
//! [`plan::plan`] orders the pending jobs, fits them into each cluster's timeline with
//! conservative backfill, chooses among sites by the job's goal, and keeps the reason for every
//! "no". It never reads a clock or draws a random number: the same snapshot gives the same plan.
//!
//! The [`snapshot::Snapshot`] is kept up to date by [`snapshot::Change`]s that the engine emits,
//! so a cycle never copies the engine's state.
//!
//! Beside it stand the policies of sites that decide in another way, for the site models:
//! [`elastic`] for training jobs whose GPUs change from round to round. [`flavor_speed`] knows how
//! long a program runs on each flavor, learnt from finished jobs; [`waits`] how long a cluster
//! keeps what is placed there waiting; [`link`] what the network between sites is like, from
//! samples.

pub mod elastic;
pub mod explain;
pub mod fit;
#[cfg(test)]
mod fixtures;
pub mod flavor_speed;
pub mod link;
pub mod order;
pub mod packing;
pub mod plan;
pub mod policy;
pub mod predict;
pub mod quota;
pub mod reason;
pub mod snapshot;
pub mod timeline;
pub mod waits;
mod words;
