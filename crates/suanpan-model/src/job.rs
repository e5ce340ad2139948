//! What is asked: jobs, their shape, and what became of them.

use crate::array::ArraySpec;
use crate::dependency::Dependency;
use crate::id::{BlobHash, DatasetId, JobId};
use crate::money::MicroCredits;
use crate::time::{Seconds, Timestamp};
use crate::tres::Tres;
use crate::walltime::Walltime;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

mod launch;

pub use launch::{
    Copy, DatasetMount, FlavorLaunch, Given, GpuForm, Launch, MemoryForm, OpenMode, Payload,
    PublishOutput, SiteRequest, Source, Workdir,
};

/// A job as it is meant: checked, with defaults filled in. What an agent needs only to launch it
/// is a separate document ([`Launch`]) kept as a blob, so that live state stays small.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    /// Name shown in lists.
    pub name: String,
    /// Who submitted it.
    pub user: String,
    /// The tenant that pays.
    pub project: String,
    /// What placement looks at; many jobs share one.
    pub shape: Arc<Shape>,
    /// Hash of the [`Launch`] document.
    pub launch: BlobHash,
    /// The tasks of an array job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub array: Option<ArraySpec>,
    /// Where the tasks of an array may run.
    #[serde(default, skip_serializing_if = "ArraySites::is_one")]
    pub array_sites: ArraySites,
    /// What must happen first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependency: Option<Dependency>,
    /// What to do once the dependency can no longer be satisfied.
    #[serde(default)]
    pub on_invalid_dependency: OnInvalidDependency,
    /// Not to start before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begin: Option<Timestamp>,
    /// Must be finished by; a job that cannot be is ended with state `Deadline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// Whether it waits for `release`.
    #[serde(default)]
    pub hold: Hold,
    /// Whether it may be started again after its node or site failed.
    #[serde(default)]
    pub requeue: Requeue,
    /// Its QOS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qos: Option<String>,
    /// Its owner's wish to go later (positive), or an operator's to go sooner.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub nice: i32,
}

fn is_zero(nice: &i32) -> bool {
    *nice == 0
}

/// What placement looks at. Jobs with equal shapes are interchangeable to the scheduler.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shape {
    /// Nodes that must start together (the gang).
    pub nodes: u32,
    /// Amount on each node.
    pub per_node: Tres,
    /// Whether other jobs may share the nodes.
    #[serde(default)]
    pub sharing: Sharing,
    /// Longest it may run; `None` takes the partition's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Walltime>,
    /// Any of these partitions; empty means each cluster's default ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<String>,
    /// Any of these sites or clusters; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<String>,
    /// Any of these flavors, in order of preference; empty means all, without preference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flavors: Vec<String>,
    /// Features each node must have, all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// Nodes that must be among the chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodelist: Vec<String>,
    /// Nodes that must not be chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// What "best" means to the submitter.
    #[serde(default)]
    pub goal: Goal,
    /// Most it may cost, for each task of an array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<MicroCredits>,
    /// Inputs that must be at the site before it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<InputNeed>,
    /// Bytes of outputs that are expected, which go home afterwards; 0 if nothing is known.
    #[serde(default, skip_serializing_if = "is_none")]
    pub output_bytes: u64,
    /// Absolute paths on the submit host that the site must see as they are (working directory,
    /// output directories).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
}

fn is_zero_length(length: &Seconds) -> bool {
    length.0 == 0
}

fn is_none(bytes: &u64) -> bool {
    *bytes == 0
}

impl Shape {
    /// Whether where it runs decides what data is moved.
    #[must_use]
    pub fn moves_data(&self) -> bool {
        !self.inputs.is_empty() || self.output_bytes > 0
    }
}

/// Bytes that must be at the site, and where they are now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InputNeed {
    /// Site that holds them; `None` is the submit host's (home) site. Of a dataset it says
    /// nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// How many; of a dataset, its size at submission.
    pub bytes: u64,
    /// The dataset they are; where it is, is known of it and not by `at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<DatasetId>,
}

/// Whether other jobs may share a job's nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// Nodes are shared by amounts.
    #[default]
    Shared,
    /// The job takes its nodes whole.
    Exclusive,
}

impl Sharing {
    /// What a job that asks so much of each node takes of one of this capacity.
    #[must_use]
    pub fn amount(self, per_node: Tres, capacity: Tres) -> Tres {
        match self {
            Sharing::Shared => per_node,
            Sharing::Exclusive => capacity,
        }
    }
}

/// What "best" means to the submitter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Earliest finish, then price.
    Fastest,
    /// Lowest price, then finish.
    Cheapest,
    /// Price plus time, each weighed against the best candidate's.
    #[default]
    Balanced,
}

/// Whether a job waits for its user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// Free to start.
    #[default]
    None,
    /// Held until released.
    User,
}

/// Whether a job may be started again after its node or site failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Requeue {
    /// An attempt whose payload ran is not repeated.
    #[default]
    Never,
    /// A failed node or site sends the job back to pending.
    OnFailure,
}

/// Where the tasks of an array may run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArraySites {
    /// All at the cluster of the first that is placed, unless that refuses one or falls silent.
    #[default]
    One,
    /// Each where it is best.
    Any,
}

impl ArraySites {
    /// Whether it is the default.
    #[must_use]
    pub fn is_one(&self) -> bool {
        *self == ArraySites::One
    }
}

/// What to do once a dependency can no longer be satisfied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnInvalidDependency {
    /// Stay pending with reason `DependencyNeverSatisfied`, as Slurm does.
    #[default]
    Wait,
    /// End as cancelled.
    Cancel,
}

/// State of a job or of one task, in Slurm's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum JobState {
    /// Waiting.
    Pending,
    /// Placed; the site has not yet said that it runs (Slurm's CF).
    Configuring,
    /// The payload runs.
    Running,
    /// Asked to stop, or cleaning up.
    Completing,
    /// Ended with exit code 0.
    Completed,
    /// Ended with another exit code or by a signal.
    Failed,
    /// Ended because it reached its time limit.
    Timeout,
    /// Ended by its user or an operator.
    Cancelled,
    /// Its node, site or supervisor failed.
    NodeFail,
    /// Its resources were taken for another job.
    Preempted,
    /// Killed for memory.
    OutOfMemory,
    /// Could not be finished by its deadline.
    Deadline,
}

impl JobState {
    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        !matches!(
            self,
            JobState::Pending | JobState::Configuring | JobState::Running | JobState::Completing
        )
    }

    /// Slurm's short form, as `squeue` prints it.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            JobState::Pending => "PD",
            JobState::Configuring => "CF",
            JobState::Running => "R",
            JobState::Completing => "CG",
            JobState::Completed => "CD",
            JobState::Failed => "F",
            JobState::Timeout => "TO",
            JobState::Cancelled => "CA",
            JobState::NodeFail => "NF",
            JobState::Preempted => "PR",
            JobState::OutOfMemory => "OOM",
            JobState::Deadline => "DL",
        }
    }

    /// The state's name, as in the glossary.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            JobState::Pending => "Pending",
            JobState::Configuring => "Configuring",
            JobState::Running => "Running",
            JobState::Completing => "Completing",
            JobState::Completed => "Completed",
            JobState::Failed => "Failed",
            JobState::Timeout => "Timeout",
            JobState::Cancelled => "Cancelled",
            JobState::NodeFail => "NodeFail",
            JobState::Preempted => "Preempted",
            JobState::OutOfMemory => "OutOfMemory",
            JobState::Deadline => "Deadline",
        }
    }

    /// All states, in the order above.
    pub const ALL: [JobState; 12] = [
        JobState::Pending,
        JobState::Configuring,
        JobState::Running,
        JobState::Completing,
        JobState::Completed,
        JobState::Failed,
        JobState::Timeout,
        JobState::Cancelled,
        JobState::NodeFail,
        JobState::Preempted,
        JobState::OutOfMemory,
        JobState::Deadline,
    ];
}

/// A job, or one task of an array job: `36` or `36_4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskRef {
    /// The job (of an array: its base id).
    pub job: JobId,
    /// Array index, if it is one task of an array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
}

impl std::fmt::Display for TaskRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.index {
            None => self.job.fmt(f),
            Some(index) => write!(f, "{}_{index}", self.job),
        }
    }
}

/// How an attempt ended at the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum End {
    /// The payload returned this code.
    Exited {
        /// 0 to 255.
        code: u8,
    },
    /// The payload was ended by this signal.
    Signalled {
        /// Signal number.
        signal: u8,
    },
    /// It reached its time limit and was stopped.
    TimedOut,
    /// It was stopped on request.
    Cancelled,
    /// It used more memory than it asked and was killed by the limit.
    OutOfMemory,
    /// Its supervisor or machine went away; the exit code is not known.
    Lost,
    /// It could not be started: the interpreter, directory or an input is missing, and so on.
    StartFailed,
}

/// Whether the payload was ever reached: an attempt that failed before can safely be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadReach {
    /// The first line of the script, or the program, was started.
    Started,
    /// Nothing of the payload was run.
    NeverStarted,
}

/// What an attempt used, as measured at the site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// From start to end, microseconds.
    pub wall_us: u64,
    /// Processor time of all its processes, microseconds.
    pub cpu_us: u64,
    /// Largest memory of all its processes together (or of the largest process where no cgroup
    /// counts them), bytes.
    pub memory_peak_bytes: u64,
}

/// What was foretold at placement, kept to be compared with what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prediction {
    /// Expected start, and the latest start that is promised.
    pub start: Timestamp,
    /// Latest start by the limits of the jobs ahead.
    pub start_latest: Timestamp,
    /// Staging in.
    pub stage: Seconds,
    /// Run time on the flavor.
    pub run: Seconds,
    /// Staging out.
    #[serde(default, skip_serializing_if = "is_zero_length")]
    pub out: Seconds,
    /// Most it may cost.
    pub cost: MicroCredits,
}
