//! Soaks: long randomized runs that stay outside `cargo xtask test`. One file per soak under
//! `soak/`, listed here by name; each prints the seed that reproduces a failure.

use std::process::ExitCode;

use crate::runs::{self, Run};

/// Every soak. The first one is run when no name is given.
pub const SOAKS: &[Run] = &[];

/// Runs the soak named by the first argument; the first one listed if the arguments are empty or
/// start with a flag.
///
/// # Errors
/// Whatever the soak itself returns.
pub fn dispatch(args: &[String]) -> anyhow::Result<ExitCode> {
    match args.split_first() {
        Some((name, rest)) if !name.starts_with('-') => {
            runs::dispatch("soak", SOAKS, Some(name.clone()), rest)
        }
        _ => {
            let first = SOAKS.first().map(|soak| soak.name.to_owned());
            runs::dispatch("soak", SOAKS, first, args)
        }
    }
}
