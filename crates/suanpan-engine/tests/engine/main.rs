//! Tests of the engine from outside, through its one door.

mod random_commands;
mod scenarios;
mod upgrade;
mod world;
