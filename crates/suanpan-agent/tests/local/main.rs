//! Real jobs through a real agent, against a control plane in this process.

mod chaos;
mod crash;
mod data;
mod fake;
mod jobs;
mod limits;
mod noop;
mod rig;
mod scripts;
