//! What Suanpan costs on real Slurm clusters. The lab and its network are those of the binary's
//! tests, so the measurements are tests too, which only this bench runs.

use anyhow::{Context, ensure};
use std::process::Command;

/// `[JOBS] [ROUNDS] [WAITING]`: jobs of each rate, how often, and jobs that wait while
/// Slurm commands are counted.
///
/// # Errors
/// If a number is none, or the tests cannot be built or fail.
pub fn run(args: &[String]) -> anyhow::Result<()> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "--release", "-p", "suanpan", "--test", "slurm", "--"]);
    command.args(["--ignored", "--nocapture", "--test-threads=1", "rate::"]);
    for (name, value) in ["RATE_JOBS", "RATE_ROUNDS", "WAITING_JOBS"].into_iter().zip(args) {
        value.parse::<u32>().with_context(|| format!("`{value}`: expected a number"))?;
        command.env(name, value);
    }
    ensure!(command.status()?.success(), "a measurement failed");
    Ok(())
}
