//! What moving data between sites costs. The links are those of the lab, so the measurements are
//! tests of the agent, which only this bench runs.

use anyhow::{Context, ensure};
use std::process::Command;

/// `[ROUNDS] [TRANSFERS]`: how often each link is measured beside iperf3, and transfers of other
/// sizes whose times are foretold.
///
/// # Errors
/// If a number is none, or the tests cannot be built or fail.
pub fn run(args: &[String]) -> anyhow::Result<()> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "--release", "-p", "suanpan-agent", "--test", "transfers", "--"]);
    command.args(["--ignored", "--nocapture", "--test-threads=1", "measured::"]);
    for (name, value) in ["TRANSFER_ROUNDS", "TRANSFERS"].into_iter().zip(args) {
        value.parse::<u32>().with_context(|| format!("`{value}`: expected a number"))?;
        command.env(name, value);
    }
    ensure!(command.status()?.success(), "a measurement failed");
    Ok(())
}
