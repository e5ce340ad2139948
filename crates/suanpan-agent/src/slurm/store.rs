//! The files of an allocation under the `slurm` driver, beside those that every driver has.
//!
//! The state directory must be seen by the nodes under the same path: the fence and the exit file
//! are written there by the supervisor inside the job.

use crate::local::files::{Dir, Exit};
use serde::{Deserialize, Serialize};
use suanpan_model::id::Generation;
use suanpan_model::job::{End, PayloadReach, Usage};
use suanpan_model::time::Timestamp;
use suanpan_site::order::{Desired, Order, RunOrder};
use suanpan_site::report::Outcome;

/// What is to be done (`order.json`): the order, and what the site file says of its flavor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Site name.
    pub site: String,
    /// Cluster name.
    pub cluster: String,
    /// The order that is carried out.
    pub order: Order,
    /// The generic resource of the flavor, `gpu:h20`.
    pub gres: Option<String>,
    /// Features that Slurm knows on nodes of the partition; others are ours alone.
    pub features: Vec<String>,
    /// Nodes of the partition that have another flavor.
    pub avoid: Vec<String>,
    /// All nodes of the partition.
    pub members: Vec<String>,
    /// Account that the site file names.
    pub account: Option<String>,
    /// QOS that the site file names.
    pub qos: Option<String>,
    /// Seconds between TERM and KILL.
    pub grace_s: u32,
}

impl Assignment {
    /// The run order; nothing for an order to stop.
    #[must_use]
    pub fn run(&self) -> Option<&RunOrder> {
        match &self.order.desired {
            Desired::Run(run) => Some(run),
            Desired::Stop(_) => None,
        }
    }

    /// Whether the partition has a node of this name.
    #[must_use]
    pub fn in_partition(&self, name: &str) -> bool {
        self.members.iter().any(|member| member == name)
    }
}

/// That `sbatch` was about to be called (`submit.json`): from here on the job may be at the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Generation it was submitted under.
    pub generation: Generation,
    /// How often it was submitted, this time included.
    pub attempt: u32,
    /// When.
    pub at: Timestamp,
    /// The site's id, once it was acknowledged or found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<u64>,
}

/// The end of a payload as the supervisor inside the job saw it (`exit.json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobExit {
    /// The end.
    #[serde(flatten)]
    pub exit: Exit,
    /// Whether Slurm knows better why.
    pub word: Word,
}

/// Who can say how a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// The supervisor: the payload ended by itself.
    Ours,
    /// Slurm: a signal came from it, for the time limit, a cancellation or memory.
    Slurms,
}

/// What the agent concluded (`end.json`). Once it is there nothing changes any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// The attempt is over.
    Ended(Exit),
    /// The site will not run it; nothing was started.
    Refused {
        /// Generation of the newest order acted on.
        generation: Generation,
        /// When.
        at: Timestamp,
        /// Why, in the site's words.
        reason: String,
    },
}

impl Conclusion {
    /// Generation of the newest order acted on.
    #[must_use]
    pub fn generation(&self) -> Generation {
        match self {
            Conclusion::Ended(exit) => exit.generation,
            Conclusion::Refused { generation, .. } => *generation,
        }
    }
}

/// Names of the files.
pub mod name {
    /// [`super::Assignment`].
    pub const ORDER: &str = "order.json";
    /// The launch document.
    pub const LAUNCH: &str = "launch.json";
    /// [`super::Submission`].
    pub const SUBMIT: &str = "submit.json";
    /// The script that Slurm keeps.
    pub const SITE_SCRIPT: &str = "site-script";
    /// [`super::JobExit`].
    pub const EXIT: &str = "exit.json";
    /// [`super::Conclusion`].
    pub const END: &str = "end.json";
    /// Touched by the supervisor while the payload runs.
    pub const ALIVE: &str = "alive";
    /// Written before the payload is started.
    pub const STARTED: &str = "started";
    /// When the payload was started.
    pub const PAYLOAD: &str = "payload.json";
}

/// Whether the payload was reached, as the files say it.
#[must_use]
pub fn reach(dir: &Dir) -> PayloadReach {
    if dir.has(name::STARTED) { PayloadReach::Started } else { PayloadReach::NeverStarted }
}

/// An end without a payload.
#[must_use]
pub fn never_started(end: End, message: &str) -> Outcome {
    let payload = PayloadReach::NeverStarted;
    Outcome { end, payload, usage: Usage::default(), message: message.to_owned() }
}
