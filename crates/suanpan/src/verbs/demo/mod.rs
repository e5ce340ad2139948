//! `demo`.
use super::Context;
use crate::cli::Demo;
use crate::failure::{Failure, Outcome};
/// Does it.
pub fn run(_context: &Context<'_>, _args: &Demo) -> Outcome {
    Err(Failure::other("demo"))
}
