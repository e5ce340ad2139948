//! Quotas of projects.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Cohorts and projects with their quotas; a quota file is the same in TOML.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaTree {
    /// How projects are measured against each other.
    #[serde(default)]
    pub sharing: QuotaSharing,
    /// Groups that lend each other what they do not use, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cohorts: BTreeMap<String, QuotaCohort>,
    /// Projects by name; `*` stands for all that are not named.
    pub projects: BTreeMap<String, QuotaProject>,
}

/// How projects are measured against each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuotaSharing {
    /// Jobs go by their order, whatever their project borrows.
    #[default]
    Priority,
    /// The project that borrows the smallest share for its weight is served first.
    Fair,
}

/// A cohort.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaCohort {
    /// The cohort it lies in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "shanghai")]
    pub parent: Option<String>,
    /// Its weight in fair sharing.
    #[serde(default = "one")]
    #[schema(default = 1, maximum = 1000000)]
    pub weight: u32,
    /// What it has itself, beside what its members lend, by flavor.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flavors: BTreeMap<String, QuotaAmounts>,
}

/// A project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaProject {
    /// The cohort it lies in; without one it neither borrows nor lends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "shanghai")]
    pub cohort: Option<String>,
    /// Its weight in fair sharing.
    #[serde(default = "one")]
    #[schema(default = 1, maximum = 1000000)]
    pub weight: u32,
    /// What its jobs may stop of other projects that borrow, to have what is their own.
    #[serde(default)]
    pub reclaim: QuotaReclaim,
    /// What its jobs may stop of the project's own.
    #[serde(default)]
    pub within_project: QuotaWithin,
    /// What its jobs may stop of other projects that borrow, to borrow themselves.
    #[serde(default)]
    pub borrow_by_preemption: QuotaBorrow,
    /// What it has, by flavor. What nobody has a quota of is not limited.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flavors: BTreeMap<String, QuotaAmounts>,
}

fn one() -> u32 {
    1
}

/// What a project may take back from those that borrow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuotaReclaim {
    /// Nothing: it waits until they end.
    #[default]
    Never,
    /// Jobs of lower priority.
    LowerPriority,
    /// Any job.
    Any,
}

/// What a project's jobs may stop of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuotaWithin {
    /// Nothing.
    #[default]
    Never,
    /// Jobs of lower priority.
    LowerPriority,
    /// Those, and jobs of equal priority that were submitted later.
    LowerOrNewerEqual,
}

/// What a project that borrows may stop of others that do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuotaBorrow {
    /// Nothing.
    #[default]
    Never,
    /// Jobs of lower priority.
    LowerPriority,
}

/// Quotas of one flavor. All projects that have a quota of it name the same resources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaAmounts {
    /// CPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<QuotaLimits>,
    /// Memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<QuotaLimits>,
    /// GPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpus: Option<QuotaLimits>,
}

/// One quota. Amounts of memory are text with a unit (`512G`) or a number of MiB.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaLimits {
    /// Its own.
    pub nominal: QuotaAmount,
    /// Most it may use beyond that; absent: all that others lend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub borrow: Option<QuotaAmount>,
    /// Most of its own that it lends; absent: all that it does not use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lend: Option<QuotaAmount>,
}

/// A number, or an amount of memory with its unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum QuotaAmount {
    /// CPUs, GPUs, or MiB of memory.
    Number(i64),
    /// Memory with its unit: `512G`, `2T`.
    Text(String),
}

/// The quotas and what is used of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuotaList {
    /// The tree as it was set; absent where nothing is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<QuotaTree>,
    /// Every quota, cohorts before what lies in them.
    pub quotas: Vec<QuotaUse>,
    /// Journal position shown.
    #[schema(example = 1204)]
    pub seq: u64,
}

/// One quota and what is used of it. Amounts of memory are MiB.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuotaUse {
    /// Whether a cohort or a project.
    pub kind: QuotaKind,
    /// Its name.
    #[schema(example = "vision")]
    pub name: String,
    /// The cohort it lies in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "shanghai")]
    pub cohort: Option<String>,
    /// The flavor.
    #[schema(example = "h200")]
    pub flavor: String,
    /// The resource: `cpus`, `memory` or `gpus`.
    #[schema(example = "gpus")]
    pub resource: String,
    /// Its own.
    #[schema(example = 16)]
    pub nominal: i64,
    /// Most it may borrow; absent: all that others lend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub borrow: Option<i64>,
    /// Most it lends; absent: all that it does not use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lend: Option<i64>,
    /// What its jobs hold now; of a cohort all projects in it.
    #[schema(example = 20)]
    pub used: i64,
    /// What of that is borrowed.
    #[schema(example = 4)]
    pub borrowed: i64,
    /// What others could still borrow of it.
    #[schema(example = 0)]
    pub lendable: i64,
    /// What it could still use, borrowing included.
    #[schema(example = 8)]
    pub available: i64,
}

/// What has a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuotaKind {
    /// A group that lends and borrows.
    Cohort,
    /// One whose jobs use.
    Project,
}
