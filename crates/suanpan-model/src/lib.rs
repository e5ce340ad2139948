//! The vocabulary of Suanpan: ids, time, money, resources and the nouns with their arithmetic and
//! validity rules.
//!
//! Everything here is plain data with integers inside. Nothing reads a clock, touches a file or
//! draws a random number. Text forms people type (`1-02:00:00`, `16G`, `0-15%4`) are parsed by the
//! types that mean them, so that every edge of the system accepts the same language.
//!
//! Start with [`job`] (what is asked) and [`site`] (what there is).

pub mod array;
pub mod begin;
pub mod dataset;
pub mod dependency;
pub mod gres;
pub mod hostlist;
pub mod id;
pub mod index_set;
pub mod job;
pub mod memory;
pub mod money;
pub mod network;
pub mod parse;
pub mod pattern;
pub mod signal;
pub mod site;
pub mod time;
pub mod tres;
pub mod walltime;
