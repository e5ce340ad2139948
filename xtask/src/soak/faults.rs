//! Killing processes, at any moment or at a failpoint, and starting them again.

use super::dice::Dice;
use crate::bench::network::Network;
use anyhow::{Result, bail};
use std::fmt;
use std::time::{Duration, Instant, SystemTime};

/// How long a process may take to reach its failpoint.
const REACHED_WITHIN: Duration = Duration::from_secs(60);

/// Something that is done to the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server is killed.
    Server,
    /// An agent is killed.
    Agent(usize),
    /// The server and an agent are killed.
    Both(usize),
    /// The server ends at a failpoint, after having passed it so many times.
    InServer(String, usize),
    /// An agent ends at a failpoint.
    InAgent(String, usize),
    /// A supervisor of a job ends at a failpoint.
    InSupervisor(String, usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Server => write!(f, "killed the server"),
            Fault::Agent(site) => write!(f, "killed agent {site}"),
            Fault::Both(site) => write!(f, "killed the server and agent {site}"),
            Fault::InServer(name, _) => write!(f, "the server ended at {name}"),
            Fault::InAgent(name, site) => write!(f, "agent {site} ended at {name}"),
            Fault::InSupervisor(name, site) => {
                write!(f, "a supervisor of site {site} ended at {name}")
            }
        }
    }
}

impl Fault {
    /// Whether it is one of the random kills.
    #[must_use]
    pub fn is_kill(&self) -> bool {
        matches!(self, Fault::Server | Fault::Agent(_) | Fault::Both(_))
    }

    /// The site that may lose attempts by it.
    #[must_use]
    pub fn site(&self) -> Option<usize> {
        match self {
            Fault::Server | Fault::InServer(..) => None,
            Fault::Agent(site)
            | Fault::Both(site)
            | Fault::InAgent(_, site)
            | Fault::InSupervisor(_, site) => Some(*site),
        }
    }
}

/// A fault that happened.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// From when, microseconds since 1970.
    pub from_us: i64,
    /// Until everything was started again, microseconds since 1970.
    pub to_us: i64,
    /// What.
    pub fault: Fault,
}

/// Does it and starts again what it ended.
///
/// # Errors
/// If a failpoint is not reached, or a process does not start again.
pub fn strike(network: &mut Network, dice: &mut Dice, fault: &Fault) -> Result<Recorded> {
    let from_us = now_us();
    match fault {
        Fault::Server => {
            network.kill_server()?;
            pause(dice);
            network.start_server(&[])?;
        }
        Fault::Agent(site) => {
            network.kill_agent(*site)?;
            pause(dice);
            network.spawn_agent(*site, &[])?;
        }
        Fault::Both(site) => {
            network.kill_agent(*site)?;
            network.kill_server()?;
            pause(dice);
            network.start_server(&[])?;
            network.spawn_agent(*site, &[])?;
        }
        Fault::InServer(name, passes) => {
            network.kill_server()?;
            // The server reaches some points only a few times before clients want answers.
            let action = format!("{name}={passes}*off->return");
            network.spawn_server(&[], &[("FAILPOINTS", &action)])?;
            until(name, || network.has_server_ended())?;
            network.start_server(&[])?;
        }
        Fault::InAgent(name, site) => {
            let (marker, once) = once(network, name);
            network.spawn_agent(*site, &[("SUANPAN_CRASH_ONCE", &once)])?;
            until(name, || network.has_agent_ended(*site))?;
            anyhow::ensure!(marker.exists(), "agent {site} ended, and not at {name}");
            network.spawn_agent(*site, &[])?;
        }
        Fault::InSupervisor(name, site) => {
            let (marker, once) = once(network, name);
            network.spawn_agent(*site, &[("SUANPAN_CRASH_ONCE", &once)])?;
            until(name, || Ok(marker.exists()))?;
        }
    }
    Ok(Recorded { from_us, to_us: now_us(), fault: fault.clone() })
}

fn once(network: &Network, name: &str) -> (std::path::PathBuf, String) {
    let marker = network.folder().join(format!("{name}.reached"));
    let once = format!("{name}:{}", marker.display());
    (marker, once)
}

fn pause(dice: &mut Dice) {
    std::thread::sleep(Duration::from_millis(dice.below(400) as u64));
}

fn until(name: &str, mut reached: impl FnMut() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !reached()? {
        if began.elapsed() > REACHED_WITHIN {
            bail!("{name} was not reached; was the binary built with the feature `failpoints`?");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Now, in microseconds since 1970.
#[must_use]
pub fn now_us() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(now.expect("this is after 1970").as_micros()).expect("it is before 290000")
}
