//! Jobs, their tasks and attempts.

use super::event::JobEvent;
use super::value::{JobState, Money, PerNode, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A job as lists show it. Of an array, `state` is the state of the whole: running if any task
/// runs, else pending if any waits, else the worst end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Small decimal number.
    #[schema(example = 36)]
    pub id: u64,
    /// Name.
    #[schema(example = "train")]
    pub name: String,
    /// Who submitted it.
    #[schema(example = "ada")]
    pub user: String,
    /// The tenant that pays.
    #[schema(example = "default")]
    pub project: String,
    /// State.
    pub state: JobState,
    /// Why it waits, in Slurm's words where it has one; only of waiting jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "Resources")]
    pub reason: Option<String>,
    /// The tasks of an array job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub array: Option<ArraySummary>,
    /// Nodes that start together.
    #[schema(example = 1)]
    pub nodes: u32,
    /// Amount on each node.
    pub per_node: PerNode,
    /// Longest it may run, seconds; absent if the partition's default applies and it is not
    /// placed yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 3600)]
    pub time_limit_s: Option<u64>,
    /// When it was submitted.
    pub submitted_at: Time,
    /// When its (first) payload started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it (or its last task) ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
    /// Site of its latest attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "shanghai")]
    pub site: Option<String>,
    /// Cluster of its latest attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "shanghai")]
    pub cluster: Option<String>,
    /// Partition of its latest attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// Flavor of its latest attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flavor: Option<String>,
    /// Names of the nodes of its latest attempt, in rank order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_names: Vec<String>,
    /// Exit code; of an array the highest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 0)]
    pub exit_code: Option<u8>,
    /// Signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<u8>,
    /// How often it was started again.
    #[schema(example = 0)]
    pub restarts: u32,
    /// What was charged so far, over all its attempts and tasks.
    pub charged: Money,
    /// The job for which an attempt of it was last stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 41)]
    pub preempted_by: Option<u64>,
}

/// The tasks of an array job in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ArraySummary {
    /// Indexes and limit, as typed: `0-15%4`.
    #[schema(example = "0-15%4")]
    pub indexes: String,
    /// How many tasks there are.
    #[schema(example = 16)]
    pub tasks: u32,
    /// How many tasks are in each state; states without tasks are absent.
    pub states: BTreeMap<JobState, u32>,
}

/// A job with everything known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobDetail {
    /// What lists show.
    #[serde(flatten)]
    pub job: Job,
    /// The task asked for, if it was one task of an array (`36_4`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// Every attempt of the job (of one task, if one was asked for), oldest first; of an array
    /// at most the latest 100, see `/v1/jobs/{id}/tasks` for the rest.
    pub attempts: Vec<Attempt>,
    /// Any of these sites or clusters; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<String>,
    /// Any of these partitions; empty means each cluster's default ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<String>,
    /// Any of these flavors, in order of preference; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flavors: Vec<String>,
    /// What "best" means: `fastest`, `cheapest` or `balanced`.
    #[schema(example = "balanced")]
    pub goal: String,
    /// Most it may cost, for each task of an array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Money>,
    /// What must happen first, as typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "afterok:35")]
    pub dependency: Option<String>,
    /// Not to start before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begin_at: Option<Time>,
    /// To be finished by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_at: Option<Time>,
    /// Its QOS, if it asked for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "normal")]
    pub qos: Option<String>,
    /// How many points of priority it gave up.
    #[serde(default)]
    pub nice: i32,
    /// Whether its user holds it.
    pub held: bool,
    /// Whether it may be started again after its node or site failed.
    pub requeue: bool,
    /// Hash of the launch document.
    #[schema(example = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262")]
    pub launch_hash: String,
    /// What is launched (script, environment, directories); only with `launch=true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub launch: Option<serde_json::Value>,
    /// What happened, oldest first, at most the latest 100; see `/v1/jobs/{id}/events`.
    pub events: Vec<JobEvent>,
}

/// A page of jobs, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobList {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// Give it as `after` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Journal position the page reflects.
    #[schema(example = 1042)]
    pub seq: u64,
}

/// One task of an array job, or the only one of a single job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Task {
    /// Its own job id.
    #[schema(example = 40)]
    pub id: u64,
    /// The job it belongs to.
    #[schema(example = 36)]
    pub job: u64,
    /// Its index, if it is one of an array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 4)]
    pub index: Option<u32>,
    /// State.
    pub state: JobState,
    /// Why it waits; only of waiting tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its latest attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// How often it was started again.
    #[schema(example = 0)]
    pub restarts: u32,
    /// When it ended, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
}

/// A page of tasks, by index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskList {
    /// The tasks. Tasks that never left `Pending` are listed too.
    pub tasks: Vec<Task>,
    /// Give it as `after` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Journal position the page reflects.
    pub seq: u64,
}

/// One attempt to run a task: resources committed at a site, from placement to end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    /// Id of the allocation; never reused.
    #[schema(example = 51)]
    pub allocation: u64,
    /// Which attempt of the task it is, from 1.
    #[schema(example = 1)]
    pub number: u32,
    /// Index of the task, of an array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// State of the attempt.
    pub state: JobState,
    /// Site.
    #[schema(example = "shanghai")]
    pub site: String,
    /// Cluster.
    #[schema(example = "shanghai")]
    pub cluster: String,
    /// Partition.
    #[schema(example = "gpu")]
    pub partition: String,
    /// Flavor of the nodes.
    #[schema(example = "nvidia-h20-96g")]
    pub flavor: String,
    /// Names of the nodes, in rank order.
    pub node_names: Vec<String>,
    /// Longest it may run, seconds.
    #[schema(example = 3600)]
    pub time_limit_s: u64,
    /// When it was placed.
    pub placed_at: Time,
    /// When inputs began to be copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staging_at: Option<Time>,
    /// Why the site has not started it yet, in its own words, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "QOSMaxJobsPerUserLimit")]
    pub site_reason: Option<String>,
    /// When the payload started, by the agent's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended, by the agent's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    /// What was foretold when it was placed.
    pub foretold: Foretold,
    /// What was charged for it; absent until it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charged: Option<Money>,
    /// The job that it was stopped for, or will be once its grace is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 41)]
    pub preempted_by: Option<u64>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Ending {
    /// `exited`, `signalled`, `timed_out`, `cancelled`, `out_of_memory`, `lost`, `start_failed`
    /// or `refused`.
    #[schema(example = "exited")]
    pub kind: String,
    /// Exit code, if `kind` is `exited`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 0)]
    pub exit_code: Option<u8>,
    /// Signal number, if `kind` is `signalled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<u8>,
    /// Whether the first line of the payload was ever started.
    pub payload_started: bool,
    /// One line for people where the kind alone does not say it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// What it used, as measured at the site.
    pub used: Used,
}

/// What an attempt used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Used {
    /// From start to end, seconds.
    #[schema(example = 12.25)]
    pub wall_s: f64,
    /// Processor time of all its processes, seconds.
    #[schema(example = 11.5)]
    pub cpu_s: f64,
    /// Largest memory of all its processes together, bytes.
    #[schema(example = 104_857_600)]
    pub memory_peak_bytes: u64,
}

/// What was foretold at placement, kept to be compared with what happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Foretold {
    /// Expected start.
    pub start_at: Time,
    /// Latest start if every job ahead used all its time.
    pub start_latest_at: Time,
    /// Staging of inputs, seconds.
    pub stage_s: u64,
    /// Run time, seconds.
    pub run_s: u64,
    /// Staging of outputs back home, seconds.
    #[serde(default)]
    pub out_s: u64,
    /// Most it may cost.
    pub cost: Money,
}

/// The action was accepted and is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActionAnswer {
    /// The job.
    #[schema(example = 36)]
    pub id: u64,
    /// The task, if one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// Journal position; send it back as `Suanpan-Seq` to read at least this.
    #[schema(example = 1043)]
    pub seq: u64,
}
