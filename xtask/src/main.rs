//! `cargo xtask <verb>`: the repository's checks, test tiers and benches.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::{bench, gate, generated, layers, repo, runs, soak, tidy, tiers};

/// Checks, test tiers and benches of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Check formatting, lints, layers and the rules about text
    Tidy {
        /// Remove or lower the entries of xtask/ratchet.toml that the code has outgrown
        #[arg(long)]
        shrink: bool,
    },
    /// Check which crate depends on which, and the lint walls of the pure crates
    Layers,
    /// Run every test tier, and end with one line: `N passed, N failed`
    Test,
    /// Run every test tier, then the README's first command
    Ci,
    /// Rewrite the generated files listed in xtask/generated.toml
    Generate,
    /// Run a bench by name; without a name, list them
    Bench {
        name: Option<String>,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Compare with published figures, by name; without a name, list the gates
    Gate {
        name: Option<String>,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Run a long randomized run; without a name, the first one
    Soak {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().verb) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Tidy { shrink: true } => tidy::functions::shrink(&repo::Repo::open()?),
        Verb::Tidy { shrink: false } => tiers::tidy(),
        Verb::Layers => Ok(report(layers::check(&repo::Repo::open()?))),
        Verb::Test => tiers::test(),
        Verb::Ci => tiers::ci(),
        Verb::Generate => generated::rewrite(&repo::Repo::open()?),
        Verb::Bench { name, args } => runs::dispatch("bench", bench::BENCHES, name, &args),
        Verb::Gate { name, args } => runs::dispatch("gate", gate::GATES, name, &args),
        Verb::Soak { args } => soak::dispatch(&args),
    }
}

fn report(findings: Vec<repo::Finding>) -> ExitCode {
    for finding in &findings {
        eprintln!("{finding}");
    }
    println!("layers: {} findings", findings.len());
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
