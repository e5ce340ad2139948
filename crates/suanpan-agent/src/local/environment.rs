//! The variables a job sees.
//!
//! In this order, later ones winning: a few from the agent's own account (`PATH`, `HOME`, …), what
//! the user gave, what the flavor's section of the job file gives, what the site sets. Nothing
//! else of the agent's environment reaches a job.

use super::files::{Assignment, Dir};
use super::{devices, processes};
use std::collections::BTreeMap;
use std::path::Path;
use suanpan_model::hostlist::Hostlist;
use suanpan_model::job::{Launch, Source};
use suanpan_site::order::{ArrayTask, RunOrder};

#[cfg(test)]
mod tests;

/// Variables taken over from the agent's account where the user did not set them.
const INHERITED: [&str; 9] =
    ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH"];

/// The whole environment of a job's batch script.
#[must_use]
pub fn environment(
    assignment: &Assignment,
    run: &RunOrder,
    launch: &Launch,
    dir: &Path,
    workdir: &Path,
) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    for name in INHERITED {
        if let Ok(value) = std::env::var(name) {
            env.insert(name.to_owned(), value);
        }
    }
    env.extend(launch.env.clone());
    if let Some(special) = launch.per_flavor.get(&run.flavor) {
        env.extend(special.env.clone());
    }
    for name in crate::failpoint::VARIABLES {
        env.remove(name);
    }
    let path = env.get("PATH").cloned().unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let mut set = |name: &str, value: String| {
        env.insert(name.to_owned(), value);
    };
    set("PATH", format!("{}:{path}", assignment.shims.display()));
    set("TMPDIR", dir.join("tmp").display().to_string());
    set("PWD", workdir.display().to_string());
    set("SUANPAN_ALLOCATION", assignment.order.allocation.to_string());
    set(processes::MARK, dir.display().to_string());
    set("SUANPAN_SITE", assignment.site.clone());
    set("SUANPAN_CLUSTER", assignment.cluster.clone());
    set("SUANPAN_FLAVOR", run.flavor.clone());
    set("SUANPAN_PARTITION", run.partition.clone());
    for (name, value) in crate::data::contract::variables(&Dir(dir.to_owned()), launch) {
        set(&name, value);
    }
    slurm_job(assignment, run, launch, &mut set);
    slurm_amounts(assignment, run, launch, &mut set);
    distributed(run, launch, &mut set);
    gpus(assignment, run, &mut set);
    if launch.source == Source::Yaml {
        skypilot(run, &mut set);
    }
    env
}

type Set<'a> = &'a mut dyn FnMut(&str, String);

fn slurm_job(assignment: &Assignment, run: &RunOrder, launch: &Launch, set: Set<'_>) {
    let seconds = |at: suanpan_model::time::Timestamp| (at.0 / 1_000_000).to_string();
    let start = super::files::now();
    let limit = suanpan_model::time::Seconds(run.time_limit.seconds().into());
    let nodes = Hostlist::compress(&run.nodes).to_string();
    for name in ["SLURM_JOB_ID", "SLURM_JOBID"] {
        set(name, run.job.to_string());
    }
    for name in ["SLURM_JOB_NODELIST", "SLURM_NODELIST"] {
        set(name, nodes.clone());
    }
    set("SLURM_JOB_NAME", run.name.clone());
    set("SLURM_JOB_USER", run.user.clone());
    set("SLURM_SUBMIT_DIR", launch.submit_dir.clone());
    set("SLURM_SUBMIT_HOST", launch.submit_host.clone());
    set("SLURM_CLUSTER_NAME", assignment.cluster.clone());
    set("SLURM_JOB_PARTITION", run.partition.clone());
    set("SLURM_JOB_ACCOUNT", run.project.clone());
    set("SLURM_JOB_QOS", launch.qos.clone().unwrap_or_else(|| "normal".into()));
    set("SLURM_JOB_START_TIME", seconds(start));
    set("SLURM_JOB_END_TIME", seconds(start.plus(limit)));
    set("SLURM_RESTART_COUNT", run.restarts.to_string());
    set("SLURMD_NODENAME", run.nodes.first().cloned().unwrap_or_default());
    if let Some(dependency) = &launch.dependency {
        set("SLURM_JOB_DEPENDENCY", dependency.clone());
    }
    if let Some(array) = &run.array {
        array_variables(array, set);
    }
}

/// The variables of a task of an array, as sbatch(1) names them.
pub fn array_variables(array: &ArrayTask, set: &mut dyn FnMut(&str, String)) {
    set("SLURM_ARRAY_JOB_ID", array.job.to_string());
    set("SLURM_ARRAY_TASK_ID", array.index.to_string());
    set("SLURM_ARRAY_TASK_COUNT", array.count.to_string());
    set("SLURM_ARRAY_TASK_MIN", array.min.to_string());
    set("SLURM_ARRAY_TASK_MAX", array.max.to_string());
    set("SLURM_ARRAY_TASK_STEP", array.step.to_string());
}

fn slurm_amounts(assignment: &Assignment, run: &RunOrder, launch: &Launch, set: Set<'_>) {
    let nodes = run.nodes.len().max(1);
    let layout = tasks_on_nodes(launch.tasks.max(1), launch.tasks_per_node, nodes);
    for name in ["SLURM_JOB_NUM_NODES", "SLURM_NNODES"] {
        set(name, nodes.to_string());
    }
    for name in ["SLURM_NTASKS", "SLURM_NPROCS"] {
        set(name, launch.tasks.max(1).to_string());
    }
    if let Some(per_node) = launch.tasks_per_node {
        set("SLURM_NTASKS_PER_NODE", per_node.to_string());
    }
    set("SLURM_TASKS_PER_NODE", repeated(&layout));
    set("SLURM_CPUS_PER_TASK", launch.cpus_per_task.max(1).to_string());
    set("SLURM_CPUS_ON_NODE", run.per_node.cpus.to_string());
    set("SLURM_JOB_CPUS_PER_NODE", repeated(&vec![run.per_node.cpus; nodes]));
    set("SLURM_MEM_PER_NODE", run.per_node.memory.get().to_string());
    set("SLURM_NODEID", "0".into());
    set("SLURM_PROCID", "0".into());
    set("SLURM_LOCALID", "0".into());
    set("SUANPAN_GRACE_SECONDS", assignment.grace_s.to_string());
}

/// Emulated nodes are all this machine, and their names resolve nowhere else.
const MASTER: &str = "127.0.0.1";

/// Many scripts set `MASTER_ADDR` to the first name of `scontrol show hostnames`. The tasks of a
/// step get this machine's address instead where it names one of the job's nodes.
pub fn resolve_master(env: &mut BTreeMap<String, String>, nodes: &[String]) {
    if let Some(address) = env.get_mut("MASTER_ADDR")
        && nodes.contains(address)
    {
        *address = MASTER.to_owned();
    }
}

fn distributed(run: &RunOrder, launch: &Launch, set: Set<'_>) {
    set("MASTER_ADDR", MASTER.into());
    // Two jobs on one machine get different ports unless their numbers are 10,000 apart.
    set("MASTER_PORT", (20_000 + run.job.0 % 10_000).to_string());
    set("NNODES", run.nodes.len().to_string());
    set("NODE_RANK", "0".into());
    set("WORLD_SIZE", launch.tasks.max(1).to_string());
    set("RANK", "0".into());
    set("LOCAL_RANK", "0".into());
}

fn gpus(assignment: &Assignment, run: &RunOrder, set: Set<'_>) {
    let own = assignment.gpus.first().cloned().unwrap_or_default();
    if assignment.nodes_have_gpus
        && let Some((variable, value)) = devices::visibility(&run.flavor, &own)
    {
        set(variable, value);
    }
    if run.per_node.gpus > 0 {
        let per_node = run.per_node.gpus;
        set("SLURM_GPUS", (u64::from(per_node) * run.nodes.len() as u64).to_string());
        set("SLURM_GPUS_ON_NODE", per_node.to_string());
        set("SLURM_GPUS_PER_NODE", per_node.to_string());
        set("SLURM_JOB_GPUS", devices::join(&own));
    }
}

fn skypilot(run: &RunOrder, set: Set<'_>) {
    set("SKYPILOT_NODE_RANK", "0".into());
    set("SKYPILOT_NODE_IPS", vec![MASTER; run.nodes.len()].join("\n"));
    set("SKYPILOT_NUM_NODES", run.nodes.len().to_string());
    set("SKYPILOT_NUM_GPUS_PER_NODE", run.per_node.gpus.to_string());
    // The same after a recovery, because checkpoints are found by it.
    set("SKYPILOT_TASK_ID", format!("suanpan-{}_{}", run.job, run.name));
}

/// How many tasks each node runs: `per_node` on each if given, else as even as possible, the
/// first nodes taking one more.
#[must_use]
pub fn tasks_on_nodes(tasks: u32, per_node: Option<u32>, nodes: usize) -> Vec<u32> {
    let count = u32::try_from(nodes.max(1)).unwrap_or(u32::MAX);
    let mut left = tasks;
    let mut layout = Vec::with_capacity(nodes);
    for index in 0..count {
        let even = tasks / count + u32::from(index < tasks % count);
        let here = per_node.unwrap_or(even).min(left);
        layout.push(here);
        left -= here;
    }
    layout
}

/// Slurm's short form of a list of counts: `2(x3),1`.
#[must_use]
pub fn repeated(counts: &[u32]) -> String {
    let runs = counts.chunk_by(|a, b| a == b).map(|run| match run.len() {
        1 => run[0].to_string(),
        length => format!("{}(x{length})", run[0]),
    });
    runs.collect::<Vec<_>>().join(",")
}
