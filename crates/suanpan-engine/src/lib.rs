//! The state machine: commands come in, events come out, state is the fold of events.
//!
//! - [`command::Command`] is what is asked, [`event::Event`] what happened,
//!   [`rejection::Rejection`] why something asked did not happen.
//! - [`state::State::decide`] judges a command against the state and changes nothing;
//!   [`state::State::apply`] folds one event and cannot fail; [`state::State::orders`] derives what
//!   each cluster should be running. They are three functions, and recovery is only `apply`.
//! - [`sequencer::Sequencer`] is the one door: it numbers records and keeps time monotonic.
//!
//! One command, one file: start in `commands/`. The engine never reads a clock, draws a random
//! number or performs I/O; whatever it needs to know arrives inside a command.

pub mod command;
mod commands;
pub mod event;
pub mod explain;
pub mod rejection;
pub mod sequencer;
pub mod state;
