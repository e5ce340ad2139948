//! Runs beside one cluster: takes orders from the control plane, compares them with what is
//! there, and lets a driver act.
//!
//! Processes of one job under the `local` driver:
//!
//! ```text
//! agent ── spawns ──> supervisor (own session, holds `lock`)     outlives the agent
//!                       └─> gate (holds `gate.lock`)             outlives the supervisor
//!                             └─> payload (own process group)
//! ```
//!
//! The supervisor writes the start fence, stages, and releases the gate once "started" is on disk;
//! the gate starts the payload, waits and writes its exit code down; the supervisor (or the one
//! that takes over from it) turns that into the exit file that the agent reports. Whoever dies,
//! the files say what is certain: no fence, nothing began; no `started`, no user code ran.
//!
//! Under the `slurm` driver the supervisor is the batch script of a Slurm job; see [`slurm`].
//!
//! An agent comes into the network by [`join`].
//!
//! Start with [`run`] for the agent, [`local`] and [`slurm`] for the drivers and their directories,
//! [`peer`] for the channel between the agents of two sites,
//! [`dispatch`] for the hidden verbs of the one binary.

pub mod agent;
pub mod book;
pub mod client;
pub mod config;
pub mod data;
pub mod driver;
mod failpoint;
pub mod join;
mod launches;
pub mod local;
mod logs;
mod network;
pub mod noop;
pub mod peer;
mod probe;
mod reporter;
pub mod shim;
pub mod sitefile;
pub mod slurm;

pub use agent::run;
pub use config::{AgentConfig, Shutdown};

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs a hidden verb of the one binary, if the arguments (the first is the program's name) ask for
/// one: `supervise`, `slurm-supervise`, `slurm-inside`, `gate`, `enter` and `shim`. Call it before
/// anything else in `main`.
#[must_use]
pub fn dispatch(args: &[OsString]) -> Option<ExitCode> {
    let verb = args.get(1)?.to_str()?;
    let path = || args.get(2).map(PathBuf::from);
    match verb {
        "supervise" => supervise(&path()?),
        "gate" => local::gate::gate(&path()?),
        slurm::submit::SUPERVISE => slurm::supervise::supervise(&path()?),
        "slurm-inside" => Some(slurm::inside::run(&path()?, args.get(3)?.to_str()?, &args[4..])),
        "enter" => Some(local::enter::enter(&args[2..])),
        "shim" => {
            let name = args.get(2)?.to_str()?.to_owned();
            Some(shim::shim_main(&name, &args[3..]))
        }
        _ => None,
    }
}

/// Becomes the supervisor of the allocation whose directory this is; ends the process.
pub fn supervise(dir: &std::path::Path) -> ! {
    local::supervisor::supervise(dir)
}

pub use shim::shim_main;
