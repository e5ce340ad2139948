//! The simulator, a part for each kind of run: `cargo xtask bench sim [part]`.

mod batch;
mod network;
mod packing;

use anyhow::{Result, bail};
use nix::sys::resource::{UsageWho, getrusage};

/// What a process has used so far.
struct Used {
    cpu_seconds: f64,
    peak_mib: f64,
}

/// What this process has used so far, all threads.
fn used() -> Result<Used> {
    let used = getrusage(UsageWho::RUSAGE_SELF)?;
    let [user, system] = [used.user_time(), used.system_time()]
        .map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6);
    Ok(Used { cpu_seconds: user + system, peak_mib: used.max_rss() as f64 / 1_024.0 })
}

/// Runs one part, or all of them.
///
/// # Errors
/// No part has this name; a part fails.
pub fn run(args: &[String]) -> Result<()> {
    let rest = args.get(1..).unwrap_or_default();
    match args.first().map(String::as_str) {
        None => [batch::run, packing::run, network::run].iter().try_for_each(|part| part(&[])),
        Some("batch") => batch::run(rest),
        // A process of its own, so that its time and memory can be told apart.
        Some("batch-once") => batch::run_once(rest),
        Some("network") => network::run(rest),
        Some("packing") => packing::run(rest),
        Some(other) => bail!("no part `{other}`: there are batch, network and packing"),
    }
}
