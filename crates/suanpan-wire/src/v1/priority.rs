//! How jobs are ordered: the policy as it is typed, and what it makes of jobs, projects and users.

use super::value::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How priorities are worked out. What is left out is as in Slurm's manual of the multifactor
/// plugin. Lengths of time are text: `mm:ss`, `hh:mm:ss` or `d-hh:mm:ss`, and `0` for none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PriorityPolicy {
    /// After which wait age counts fully (`PriorityMaxAge`); by default seven days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "7-00:00:00")]
    pub age_max: Option<String>,
    /// After which time what was used counts half (`PriorityDecayHalfLife`), or `never`; by
    /// default seven days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "7-00:00:00")]
    pub half_life: Option<String>,
    /// How often all priorities are worked out anew (`PriorityCalcPeriod`); by default five
    /// minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "05:00")]
    pub every: Option<String>,
    /// Which sizes go first; by default `large`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub favor: Option<Favor>,
    /// How much each factor counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<PriorityWeights>,
    /// What usage counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing: Option<BillingWeights>,
    /// QOSs by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub qos: BTreeMap<String, Qos>,
    /// What projects were promised, by name; one that is not named has one share.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shares: BTreeMap<String, ProjectShares>,
}

/// Which sizes go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Favor {
    /// The larger, the sooner.
    Large,
    /// The smaller, the sooner (`PriorityFavorSmall`).
    Small,
    /// The more CPUs for each minute of the time limit, the sooner (`SMALL_RELATIVE_TO_TIME`).
    LargeForItsTime,
}

/// How much each factor counts: `PriorityWeightAge` and so on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PriorityWeights {
    /// How long the job waits; by default 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 1000)]
    pub age: Option<u32>,
    /// How little its user and project have used of what they were promised; by default 10000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 10_000)]
    pub fair_share: Option<u32>,
    /// Its size; by default 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 1000)]
    pub job_size: Option<u32>,
    /// The priority of its QOS; by default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 2000)]
    pub qos: Option<u32>,
}

/// What one unit of each resource counts as usage (`TRESBillingWeights`), to a thousandth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BillingWeights {
    /// One CPU; by default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 1.0)]
    pub cpu: Option<f64>,
    /// One gibibyte of memory; by default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 0.25)]
    pub gib: Option<f64>,
    /// One GPU; by default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 10.0)]
    pub gpu: Option<f64>,
    /// How they become one number; by default `sum`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub combine: Option<Combine>,
}

/// How the weighted resources of a node become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// Their sum.
    Sum,
    /// The largest of them (`MAX_TRES`).
    Largest,
}

/// A named bundle of priority and rights.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Qos {
    /// Its priority; the highest of all QOSs gives the whole weight.
    #[serde(default)]
    #[schema(example = 100)]
    pub priority: u32,
    /// QOSs of lower priority whose jobs may be stopped for one of this.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["spare"]))]
    pub preempts: Vec<String>,
    /// What becomes of a job of this QOS that is stopped for another; by default `requeue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_preempted: Option<WhenPreempted>,
    /// How long a job of this QOS runs in peace first (`PreemptExemptTime`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "10:00")]
    pub exempt: Option<String>,
    /// How long it may still run once it was told that it is to be stopped (`GraceTime`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "01:00")]
    pub grace: Option<String>,
    /// Users who may ask for it; with no project either, everybody may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["ann"]))]
    pub users: Vec<String>,
    /// Projects whose jobs may ask for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["physics"]))]
    pub projects: Vec<String>,
}

/// What becomes of a job that is stopped for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenPreempted {
    /// It waits again, if it was submitted with `--requeue`; else it is over.
    Requeue,
    /// It is over.
    Cancel,
}

/// What a project was promised, and its users within it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectShares {
    /// Its shares among all projects; by default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 3)]
    pub shares: Option<u32>,
    /// Its users' shares among them; who is not named has one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(example = json!({"ann": 2}))]
    pub users: BTreeMap<String, u32>,
}

/// The policy in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PriorityAnswer {
    /// The policy with every value; absent where jobs go by submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PriorityPolicy>,
    /// Journal position it reflects.
    #[schema(example = 1042)]
    pub seq: u64,
}

/// The priority of one waiting job and its parts, as `sprio` has them: in whole points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobPriority {
    /// The job.
    #[schema(example = 36)]
    pub job: u64,
    /// Who submitted it.
    #[schema(example = "ann")]
    pub user: String,
    /// Who pays.
    #[schema(example = "physics")]
    pub project: String,
    /// Its QOS, if it asked for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "normal")]
    pub qos: Option<String>,
    /// By which it is ordered, as last worked out.
    #[schema(example = 10_421)]
    pub priority: i64,
    /// Whether it goes before all that may stop no other: it may stop jobs of lower QOSs.
    pub may_preempt: bool,
    /// What its wait counts now.
    #[schema(example = 12)]
    pub age: u64,
    /// What its user's fair share counts now.
    #[schema(example = 9_800)]
    pub fair_share: u64,
    /// What its size counts.
    #[schema(example = 109)]
    pub job_size: u64,
    /// What its QOS counts.
    #[schema(example = 600)]
    pub qos_part: u64,
    /// What it gave up; subtracted.
    #[schema(example = 100)]
    pub nice: i64,
}

/// Waiting jobs in the order in which they are considered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobPriorityList {
    /// The jobs; the first so many.
    pub jobs: Vec<JobPriority>,
    /// When priorities were last worked out; absent where jobs go by submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worked_out_at: Option<Time>,
    /// Journal position it reflects.
    #[schema(example = 1042)]
    pub seq: u64,
}

/// What one user was promised in one project and has used, as `sshare` has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Share {
    /// The project.
    #[schema(example = "physics")]
    pub project: String,
    /// The project's shares among all projects.
    #[schema(example = 3)]
    pub project_shares: u32,
    /// The user.
    #[schema(example = "ann")]
    pub user: String,
    /// The user's shares within the project.
    #[schema(example = 2)]
    pub shares: u32,
    /// What that is of all projects: 0 to 1.
    #[schema(example = 0.25)]
    pub norm_shares: f64,
    /// What was used, decayed: billed seconds.
    #[schema(example = 3600.0)]
    pub usage_s: f64,
    /// What that is of all usage: 0 to 1.
    #[schema(example = 0.5)]
    pub norm_usage: f64,
    /// The fair-share factor: 1 for who has used least of what was promised.
    #[schema(example = 0.75)]
    pub fair_share: f64,
}

/// All projects and users that have shares, usage or jobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ShareList {
    /// By project and user.
    pub shares: Vec<Share>,
    /// Journal position it reflects.
    #[schema(example = 1042)]
    pub seq: u64,
}
