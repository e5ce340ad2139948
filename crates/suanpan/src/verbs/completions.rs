//! `completions`: what a shell needs to complete our words.

use super::Context;
use crate::cli::{Cli, Completions};
use crate::exit;
use crate::failure::Outcome;
use clap::CommandFactory;

/// Does it.
pub fn run(context: &Context<'_>, args: &Completions) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "suanpan", &mut script);
    context.output.text(&String::from_utf8_lossy(&script))?;
    Ok(exit::OK)
}
