//! What a site's own workload manager is told of a job.

use crate::job::{Requeue, Sharing};
use serde::{Deserialize, Serialize};

/// What a site's own workload manager is told beside the amounts, in the form it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteRequest {
    /// How accelerators were asked for.
    #[serde(default)]
    pub gpus: GpuForm,
    /// How memory was asked for.
    #[serde(default)]
    pub memory: MemoryForm,
    /// Whether other jobs may share the nodes.
    #[serde(default)]
    pub sharing: Sharing,
    /// Whether the job may be started again.
    #[serde(default)]
    pub requeue: Requeue,
    /// Features each node must have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// Nodes that must be among the chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodelist: Vec<String>,
    /// Nodes that must not be chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
}

impl SiteRequest {
    pub(crate) fn is_default(&self) -> bool {
        *self == SiteRequest::default()
    }
}

/// How accelerators were asked for (sbatch's options of these names).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GpuForm {
    /// `--gres`: of each node.
    #[default]
    Gres,
    /// `--gpus`: of the whole job.
    Gpus,
    /// `--gpus-per-node`.
    PerNode,
    /// `--gpus-per-task`.
    PerTask,
}

/// How memory was asked for (sbatch's options of these names).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryForm {
    /// `--mem`: of each node.
    #[default]
    PerNode,
    /// `--mem-per-cpu`.
    PerCpu,
    /// `--mem-per-gpu`.
    PerGpu,
}
