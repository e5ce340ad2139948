//! The simulator beside public ones, a part for each kind of site: `cargo xtask bench sim [part]`.

mod batch;

use anyhow::{Result, bail};

/// Runs one part, or all of them.
///
/// # Errors
/// No part has this name; a part fails.
pub fn run(args: &[String]) -> Result<()> {
    match args.first().map(String::as_str) {
        None | Some("batch") => batch::run(args.get(1..).unwrap_or_default()),
        // A process of its own, so that its time and memory can be told apart.
        Some("batch-once") => batch::run_once(&args[1..]),
        Some(other) => bail!("no part `{other}`: there is batch"),
    }
}
