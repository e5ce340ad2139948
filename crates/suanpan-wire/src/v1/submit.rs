//! A job as it was typed: the body of `POST /v1/jobs`, and what every kind of job file becomes.
//!
//! Amounts stay in the words of the user (`1-02:00:00`, `16G`, `0-15%4`), so that an answer can
//! repeat them; [`SubmitJob::interpret`] says what they mean.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use suanpan_model::job::{Goal, OpenMode, Source};
use suanpan_model::money::MicroCredits;
use utoipa::ToSchema;

/// A job as it was typed. Everything but the payload may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "payload": {"script": "#!/bin/sh\nsrun hostname\n"},
    "name": "hello", "nodes": 2, "time": "10", "mem": "1G"
}))]
pub struct SubmitJob {
    /// What is run.
    pub payload: Payload,
    /// Arguments of the script.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// From which kind of input the job was made; by default `sbatch` for a script and `command`
    /// for a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "sbatch", pattern = "^(sbatch|yaml|command)$")]
    pub source: Option<Source>,
    /// Name shown in lists; by default the program's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "train")]
    pub name: Option<String>,
    /// Project that pays; by default the user's own (`-A`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "vision")]
    pub project: Option<String>,
    /// User it is submitted for; must be the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "ann")]
    pub user: Option<String>,
    /// Environment of the job.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// `--export` as typed; the client has resolved it into `env`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "NONE")]
    pub export: Option<String>,
    /// Directory it is submitted from, an absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "/home/ann/project", default = "/tmp")]
    pub submit_dir: Option<String>,
    /// Host it is submitted from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "login1")]
    pub submit_host: Option<String>,
    /// Directory it runs in, which the site must see; by default the submit directory (`-D`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "/home/ann/project/run1")]
    pub workdir: Option<String>,
    /// Directory whose copy it runs in (SkyPilot's `workdir`), instead of `workdir`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = ".")]
    pub copy_workdir: Option<String>,
    /// Local files copied before the start: target path to source path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub file_mounts: BTreeMap<String, String>,
    /// Shell text run once before the payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "python3 -m venv .venv")]
    pub setup: Option<String>,
    /// File name pattern of standard output; by default `slurm-%j.out`, or `slurm-%A_%a.out` for
    /// arrays (`-o`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "%x-%j.log")]
    pub stdout: Option<String>,
    /// File name pattern of standard error; by default the same file as standard output (`-e`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "%x-%j.err")]
    pub stderr: Option<String>,
    /// File that standard input is read from; by default `/dev/null` (`-i`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "/dev/null")]
    pub stdin: Option<String>,
    /// Whether output files are begun anew or added to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "append", pattern = "^(truncate|append)$")]
    pub open_mode: Option<OpenMode>,
    /// Nodes; by default 1 (`-N`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, example = 2)]
    pub nodes: Option<u32>,
    /// Tasks over all nodes; by default one per node (`-n`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, example = 8)]
    pub ntasks: Option<u32>,
    /// Tasks on each node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, example = 4)]
    pub ntasks_per_node: Option<u32>,
    /// Processors of each task; by default 1 (`-c`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, example = 8)]
    pub cpus_per_task: Option<u32>,
    /// Tasks of each GPU, instead of `ntasks`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, example = 1)]
    pub ntasks_per_gpu: Option<u32>,
    /// Processors of each GPU, instead of `cpus_per_task`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, example = 8)]
    pub cpus_per_gpu: Option<u32>,
    /// Memory of each node; a bare number is MiB. Excludes `mem_per_cpu` and `mem_per_gpu`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "16G")]
    pub mem: Option<String>,
    /// Memory of each processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "4G")]
    pub mem_per_cpu: Option<String>,
    /// Memory of each GPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "64G")]
    pub mem_per_gpu: Option<String>,
    /// GPUs of the whole job, as `4` or `a100:4` (`-G`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "a100:4")]
    pub gpus: Option<String>,
    /// GPUs of each node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "2")]
    pub gpus_per_node: Option<String>,
    /// GPUs of each task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "1")]
    pub gpus_per_task: Option<String>,
    /// GPUs of each node in the form of `--gres`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "gpu:a100:2")]
    pub gres: Option<String>,
    /// Whether it takes its nodes whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclusive: Option<bool>,
    /// Time limit; by default the partition's (`-t`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "1-02:00:00")]
    pub time: Option<String>,
    /// Any of these partitions; by default each cluster's default one (`-p`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["gpu"]))]
    pub partition: Vec<String>,
    /// Any of these sites or clusters; by default all (`-M`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["guiyang"]))]
    pub sites: Vec<String>,
    /// Features each node must have, joined by `&` (`-C`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "avx512&ib")]
    pub constraint: Option<String>,
    /// Nodes that must be among the chosen (`-w`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "gpu[01-02]")]
    pub nodelist: Option<String>,
    /// Nodes that must not be chosen (`-x`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "gpu07")]
    pub exclude: Option<String>,
    /// Any of these flavors, in order of preference; by default all, without preference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flavors: Vec<FlavorChoice>,
    /// Task indices of an array job, with an optional `%limit` (`-a`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "0-15%4")]
    pub array: Option<String>,
    /// Whether the tasks of an array may run at different clusters; by default all run at the
    /// cluster of the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub array_split: Option<bool>,
    /// What must happen first (`-d`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "afterok:36:37")]
    pub dependency: Option<String>,
    /// Whether it is cancelled once its dependency can no longer be satisfied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill_on_invalid_dep: Option<bool>,
    /// Earliest start (`-b`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "now+1hour")]
    pub begin: Option<String>,
    /// Latest end, in the same forms as `begin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "2030-01-31T18:00")]
    pub deadline: Option<String>,
    /// Whether it waits for `release` (`-H`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<bool>,
    /// Whether it may be started again after its node or site failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requeue: Option<bool>,
    /// Signal before the end of the time limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "B:USR1@120")]
    pub signal: Option<String>,
    /// What "best" means: `fastest`, `cheapest` or `balanced`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "cheapest",
        pattern = "^(fastest|cheapest|balanced)$")]
    pub goal: Option<Goal>,
    /// Most it may cost, in millionths of a credit; for an array, each task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, minimum = 0, example = 12_500_000)]
    pub budget: Option<MicroCredits>,
    /// Data that must be at the site before it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Input>,
    /// Results that are copied back at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Output>,
    /// Datasets it reads, staged to the site before it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<DatasetInput>,
    /// What becomes a dataset once it has succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publish: Vec<DatasetOutput>,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "second try")]
    pub comment: Option<String>,
    /// Quality of service (`-q`), one of those of `GET /v1/priorities`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "normal")]
    pub qos: Option<String>,
    /// So many points less priority (`--nice`); users cannot ask for more priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 100, minimum = -2_147_483_645_i64, maximum = 2_147_483_645_i64)]
    pub nice: Option<i32>,
    /// IANA time zone in which `begin` and `deadline` are read; by default UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "Asia/Shanghai")]
    pub zone: Option<String>,
}

/// What is run: either a script with an interpreter line, or a program with its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Payload {
    /// Text of a script; its first line starts with `#!`.
    #[schema(example = "#!/bin/sh\nsrun hostname\n")]
    Script(String),
    /// A program and its arguments.
    #[schema(example = json!(["python3", "train.py"]))]
    Command(Vec<String>),
}

/// A flavor the job may run on, and what is different there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FlavorChoice {
    /// Name of the flavor.
    #[schema(example = "nvidia-h20-96g")]
    pub flavor: String,
    /// Shell text run instead of the payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "python3 train.py --device npu")]
    pub command: Option<String>,
    /// Variables added to the environment, or replacing those of the same name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

/// Data that must be at the site before the job starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Path on the submit host, or at the site named by `at`.
    #[schema(example = "data/train.csv")]
    pub path: String,
    /// Path in the job's directory; by default the last part of `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "train.csv")]
    pub to: Option<String>,
    /// Site that holds it; by default the submit host's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "guiyang")]
    pub at: Option<String>,
    /// Size; the client measures local paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 120_000)]
    pub bytes: Option<u64>,
}

/// A result that is copied back to the submit host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Path in the job's directory.
    #[schema(example = "model.json")]
    pub path: String,
    /// Path relative to the submit directory; by default the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "results/model.json")]
    pub to: Option<String>,
    /// Size it is expected to have, for which its way home is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 120_000)]
    pub bytes: Option<u64>,
}

/// A dataset that a job reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DatasetInput {
    /// Its name, and after `@` its version; the newest at submission if there is none.
    #[schema(example = "imagenet/train@3")]
    pub dataset: String,
    /// Path in the job's directory; without it the job finds the data by its environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "data/train")]
    pub to: Option<String>,
}

/// Something that a job makes and that becomes a dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DatasetOutput {
    /// Its name; each success makes a version.
    #[schema(example = "models/resnet")]
    pub dataset: String,
    /// File or directory in the job's directory.
    #[schema(example = "out/model")]
    pub path: String,
}

impl SubmitJob {
    /// A job with a payload and nothing else.
    pub fn new(payload: Payload) -> Self {
        Self {
            payload,
            args: Vec::new(),
            source: None,
            name: None,
            project: None,
            user: None,
            env: BTreeMap::new(),
            export: None,
            submit_dir: None,
            submit_host: None,
            workdir: None,
            copy_workdir: None,
            file_mounts: BTreeMap::new(),
            setup: None,
            stdout: None,
            stderr: None,
            stdin: None,
            open_mode: None,
            nodes: None,
            ntasks: None,
            ntasks_per_node: None,
            cpus_per_task: None,
            ntasks_per_gpu: None,
            cpus_per_gpu: None,
            mem: None,
            mem_per_cpu: None,
            mem_per_gpu: None,
            gpus: None,
            gpus_per_node: None,
            gpus_per_task: None,
            gres: None,
            exclusive: None,
            time: None,
            partition: Vec::new(),
            sites: Vec::new(),
            constraint: None,
            nodelist: None,
            exclude: None,
            flavors: Vec::new(),
            array: None,
            array_split: None,
            dependency: None,
            kill_on_invalid_dep: None,
            begin: None,
            deadline: None,
            hold: None,
            requeue: None,
            signal: None,
            goal: None,
            budget: None,
            inputs: Vec::new(),
            outputs: Vec::new(),
            datasets: Vec::new(),
            publish: Vec::new(),
            comment: None,
            qos: None,
            nice: None,
            zone: None,
        }
    }
}
