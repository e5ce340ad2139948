//! Many jobs over three real Slurm clusters under faults of every kind: the test of the same name
//! in `crates/suanpan/tests/slurm`, made larger.

use crate::{repo, tiers};
use anyhow::{Context, Result, ensure};
use clap::Parser;
use std::process::Command;

/// The test that does it.
const TEST: &str = "federation::jobs_survive_faults_of_every_kind";

/// How a run is made; equal settings make the same submissions and faults.
#[derive(Clone, Debug, Parser)]
#[command(name = "soak federation", no_binary_name = true)]
struct Settings {
    /// Tasks, those of arrays counted each.
    #[arg(long, default_value_t = 1_000)]
    jobs: u64,
    /// Faults.
    #[arg(long, default_value_t = 20)]
    faults: u64,
    /// Where all random numbers come from; by default the time.
    #[arg(long, default_value_t = super::crashes::seed_of_time(), hide_default_value = true)]
    seed: u64,
}

/// `cargo xtask soak federation …`.
///
/// # Errors
/// If the test cannot be built or fails; it says what was lost or done twice, and prints the
/// command that reproduces it.
pub fn from_args(args: &[String]) -> Result<()> {
    let Settings { jobs, faults, seed } = Settings::try_parse_from(args)?;
    ensure!(jobs >= faults && faults > 0, "there must be a fault, and a job for each");
    let mut command = tiers::clean_env(Command::new("cargo"));
    command.args(["test", "--quiet", "--package", "suanpan", "--features", "failpoints"]);
    command.args(["--test", "slurm", "--", "--exact", TEST, "--nocapture"]);
    command.current_dir(repo::root());
    for (name, number) in
        [("FEDERATION_JOBS", jobs), ("FEDERATION_FAULTS", faults), ("FEDERATION_SEED", seed)]
    {
        command.env(name, number.to_string());
    }
    let status = command.status().context("cargo cannot be run")?;
    ensure!(status.success(), "see above");
    Ok(())
}
