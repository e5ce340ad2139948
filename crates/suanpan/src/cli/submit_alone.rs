//! `submit` read by a parser of its own. Loops of submissions are common, and building the parsers
//! of all verbs takes longer than reading one.

use super::{Cli, Global, Submit, Verb};
use clap::{Parser, Subcommand};
use std::ffi::OsString;

impl Cli {
    /// Reads a command line. What the parser of `submit` alone does not take is left to that of all
    /// verbs, so that help and errors are the same.
    ///
    /// # Errors
    /// If it is no command, or asks for help.
    pub fn read(args: &[OsString]) -> Result<Cli, clap::Error> {
        if args.get(1).is_some_and(|verb| verb == "submit")
            && let Ok(one) = SubmitCli::try_parse_from(args)
        {
            let SubmitVerb::Submit(submit) = one.verb;
            return Ok(Cli { global: one.global, verb: Verb::Submit(submit) });
        }
        Cli::try_parse_from(args)
    }
}

/// The same with one verb.
#[derive(Parser)]
#[command(infer_long_args = true, disable_help_subcommand = true)]
struct SubmitCli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: SubmitVerb,
}

#[derive(Subcommand)]
enum SubmitVerb {
    Submit(Submit),
}
