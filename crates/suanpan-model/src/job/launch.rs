//! What an agent needs to launch a job.

use super::{Requeue, Sharing};
use crate::dataset::DatasetName;
use crate::id::BlobHash;
use crate::signal::SignalSpec;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the agent needs to launch a job: kept as a blob, fetched by hash when it is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// What is run.
    pub payload: Payload,
    /// Arguments given to the script.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Environment the user gave, before the variables the site sets.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Shell text run once on the first node before the payload (SkyPilot's `setup`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<String>,
    /// Directory it was submitted from, and on which host.
    pub submit_dir: String,
    /// Host it was submitted from.
    #[serde(default)]
    pub submit_host: String,
    /// Where it runs.
    pub workdir: Workdir,
    /// File mounts: copies made before the start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<Copy>,
    /// Paths (relative to the working directory) copied back to the submit directory at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Copy>,
    /// Datasets that must be at the site before the start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<DatasetMount>,
    /// What becomes a dataset when the payload has returned 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publish: Vec<PublishOutput>,
    /// Standard output file pattern, relative to the working directory.
    pub stdout: String,
    /// Standard error file pattern; together with standard output if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
    /// Standard input file pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<String>,
    /// Whether output files are added to or begun anew.
    #[serde(default)]
    pub open_mode: OpenMode,
    /// Tasks over all nodes, as `-n` gives.
    pub tasks: u32,
    /// Tasks on each node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks_per_node: Option<u32>,
    /// Processors of each task.
    pub cpus_per_task: u32,
    /// Signal before the end of the time limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<SignalSpec>,
    /// Command or environment that replaces the above on a flavor.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub per_flavor: BTreeMap<String, FlavorLaunch>,
    /// Dependency as typed, for `SLURM_JOB_DEPENDENCY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependency: Option<String>,
    /// Comment and QOS as typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// QOS as typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qos: Option<String>,
    /// From which kind of input the job was made; decides which conveniences are set.
    pub source: Source,
    /// What a site's own workload manager is told beside the amounts.
    #[serde(default, skip_serializing_if = "SiteRequest::is_default")]
    pub site: SiteRequest,
}

/// What a site's own workload manager is told beside the amounts, in the form it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteRequest {
    /// How accelerators were asked for.
    #[serde(default)]
    pub gpus: GpuForm,
    /// How memory was asked for.
    #[serde(default)]
    pub memory: MemoryForm,
    /// Whether the number of tasks was typed.
    #[serde(default, skip_serializing_if = "Given::is_typed")]
    pub tasks: Given,
    /// Whether the processors of a task were typed.
    #[serde(default, skip_serializing_if = "Given::is_typed")]
    pub cpus_per_task: Given,
    /// What was typed as `--export`; steps follow it too (`SLURM_EXPORT_ENV` in srun(1)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<String>,
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
    fn is_default(&self) -> bool {
        *self == SiteRequest::default()
    }
}

/// Whether an amount was typed; Slurm sets its variable only then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Given {
    /// It was.
    #[default]
    Typed,
    /// It follows from the rest.
    Derived,
}

impl Given {
    fn is_typed(&self) -> bool {
        *self == Given::Typed
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

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// A script with an interpreter line, unchanged.
    Script(String),
    /// A program and its arguments.
    Command(Vec<String>),
}

/// Where a job runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workdir {
    /// In this directory, which the site must see.
    Path(String),
    /// In a fresh directory at the site, filled with a copy of this one.
    CopyOf(String),
}

/// One copy between the submit host and the job's directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    /// Source path.
    pub from: String,
    /// Target path, relative to the job's directory (or to the submit directory for outputs).
    pub to: String,
}

/// A dataset as a job finds it at the site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetMount {
    /// Its name.
    pub name: DatasetName,
    /// Its version, from 1.
    pub version: u32,
    /// Its manifest.
    pub manifest: BlobHash,
    /// Where it appears, relative to the job's directory; nothing if the job finds it only by
    /// its environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// Something a job makes that becomes a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishOutput {
    /// The dataset's name; each success makes a version.
    pub name: DatasetName,
    /// File or directory, relative to the job's directory.
    pub path: String,
}

/// Whether output files are added to or begun anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenMode {
    /// Begun anew at the first start, added to after a requeue.
    #[default]
    Truncate,
    /// Always added to.
    Append,
}

/// What replaces the general command or environment on a flavor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlavorLaunch {
    /// Shell text instead of the payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Variables added to or replacing the environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

/// From which kind of input a job was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An `#SBATCH` script.
    Sbatch,
    /// A YAML job file.
    Yaml,
    /// A plain command.
    Command,
}
