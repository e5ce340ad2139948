//! Soaks: long randomized runs that stay outside `cargo xtask test`. One file per soak under
//! `soak/`, listed here by name; each prints the seed that reproduces a failure.

pub mod audit;
pub mod crashes;
mod dice;
mod faults;
mod federation;
mod plan;
mod submitters;

use std::process::ExitCode;

use crate::runs::{self, Run};

/// Every soak. The first one is run when no name is given.
pub const SOAKS: &[Run] = &[
    Run {
        name: "crashes",
        about: "jobs that each append one line, while server and agents are killed: \
                [--jobs 2000] [--kills 50] [--seed N] [--binary PATH]",
        run: crashes::from_args,
    },
    Run {
        name: "federation",
        about: "jobs over three real Slurm clusters under faults of every kind: \
                [--jobs 1000] [--faults 20] [--seed N]; needs root on Debian",
        run: federation::from_args,
    },
];

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
