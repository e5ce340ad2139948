//! suanpan-model

pub mod array;
pub mod begin;
pub mod dependency;
pub mod gres;
pub mod hostlist;
pub mod index_set;
pub mod memory;
pub mod parse;
pub mod pattern;
pub mod signal;
pub mod walltime;
