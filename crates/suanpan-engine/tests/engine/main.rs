//! Tests of the engine from outside, through its one door.

#![expect(clippy::disallowed_methods, reason = "the scenarios and fixtures are files")]

mod eviction;
mod random_commands;
mod scenarios;
mod upgrade;
mod world;
