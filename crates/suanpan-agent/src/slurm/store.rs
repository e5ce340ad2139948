//! The files of an allocation under the `slurm` driver, beside those that every driver has.
//!
//! The state directory must be seen by the nodes under the same path: the fence and the exit file
//! are written there by the supervisor inside the job.

use crate::local::files::{Dir, Exit};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
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
    /// Written before the payload is started; a directory if it never will be.
    pub const STARTED: &str = "started";
    /// Directory of the state directory with a file for each job that waits to go on or ended.
    pub const NEWS: &str = "news";
    /// The payload asked Slurm to run the job again.
    pub const REQUEUE: &str = "requeue";
    /// When the payload was first started.
    pub const PAYLOAD: &str = "payload.json";
}

/// Name of the fence of a generation.
#[must_use]
pub fn fence(generation: Generation) -> String {
    format!("start.{generation}")
}

/// The supervisor of the allocation of this directory tells that it began, or ended: by a file of
/// the allocation's number, so that the agent finds all of them at one look. If it cannot be made,
/// the agent finds the fence or the exit file at its next look at everything.
pub fn tell(dir: &Dir) {
    let state_dir = dir.0.parent().and_then(Path::parent);
    if let (Some(state_dir), Some(number)) = (state_dir, dir.0.file_name()) {
        let _ = File::create(state_dir.join(name::NEWS).join(number));
    }
}

/// Lets a supervisor go on that wrote its fence. The answer is in the fence itself: that a file
/// grew is seen at its next opening also where names are cached (NFS's close-to-open consistency).
///
/// # Errors
/// If it cannot be written now.
pub fn let_go(dir: &Dir, generation: Generation) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(dir.file(&fence(generation)))?;
    file.write_all(b"go\n")?;
    file.sync_all()
}

/// Whether the agent let it go on.
#[must_use]
pub fn may_go(dir: &Dir, generation: Generation) -> bool {
    let file = File::open(dir.file(&fence(generation)));
    file.and_then(|file| file.metadata()).is_ok_and(|found| found.len() > 0)
}

/// The supervisor is about to start the payload, unless the agent gave it up before
/// ([`give_up`]): one name, made by the one or the other. True also for a start after the first.
///
/// # Errors
/// If the file system refuses.
pub fn begin(dir: &Dir) -> io::Result<bool> {
    match dir.create_mark(name::STARTED) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Ok(!dir.file(name::STARTED).is_dir())
        }
        Err(error) => Err(error),
    }
}

/// Whether the payload was reached; if not, it never will be from here on, whatever its supervisor
/// does: a directory stands where it would make a file.
///
/// # Errors
/// If the file system refuses, and nothing can be said yet.
pub fn give_up(dir: &Dir) -> io::Result<PayloadReach> {
    let path = dir.file(name::STARTED);
    match fs::create_dir(&path) {
        Ok(()) => Ok(PayloadReach::NeverStarted),
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Err(_) if path.is_dir() => Ok(PayloadReach::NeverStarted),
        Err(_) => Ok(PayloadReach::Started),
    }
}

/// An end without a payload.
#[must_use]
pub fn never_started(end: End, message: &str) -> Outcome {
    let payload = PayloadReach::NeverStarted;
    Outcome { end, payload, usage: Usage::default(), message: message.to_owned() }
}
