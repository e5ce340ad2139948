//! The control plane as a process: clock, HTTP, tokens, journal, scheduler thread and persisted
//! views around the pure engine. It assembles and decides nothing.
//!
//! [`serve::serve`] runs a server from its [`config::Config`] to a graceful stop. [`pipeline`]
//! carries commands to durable effects, [`http`] is its only door for users and agents.

pub mod config;
pub mod data;
pub mod http;
pub mod pipeline;
pub mod serve;
