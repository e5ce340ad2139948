//! The variables that a script sees: those that Slurm set, those of the agent's account, the
//! submitter's, and what the network adds.

use super::super::inside;
use super::{Job, slurm_number};
use crate::data::contract;
use crate::failpoint;
use crate::local::environment::array_variables;
use std::collections::BTreeMap;
use suanpan_model::hostlist::Hostlist;
use suanpan_model::job::{Launch, OpenMode, Source};
use suanpan_site::order::RunOrder;

/// Variables of the submit host that describe its own login, and of the agent.
const NOT_TAKEN: [&str; 10] = [
    "HOME",
    "HOSTNAME",
    "LOGNAME",
    "MAIL",
    "OLDPWD",
    "PWD",
    "SHELL",
    "TMPDIR",
    "USER",
    "XDG_RUNTIME_DIR",
];

impl Job {
    pub(super) fn environment(&self, run: &RunOrder) -> BTreeMap<String, String> {
        let mut env: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            // The agent's own settings.
            .filter(|(name, _)| !name.starts_with("SUANPAN_"))
            .collect();
        let site_path = env.get("PATH").cloned().unwrap_or_default();
        let special = self.launch.per_flavor.get(&run.flavor);
        let special = special.map(|flavor| flavor.env.clone()).unwrap_or_default();
        let is_taken = |name: &str| !NOT_TAKEN.contains(&name) && !name.starts_with("SLURM");
        for (name, value) in &self.launch.env {
            if is_taken(name) {
                env.insert(name.clone(), value.clone());
            }
        }
        env.extend(special);
        for name in failpoint::VARIABLES {
            env.remove(name);
        }
        if self.launch.open_mode == OpenMode::Truncate {
            // Ours, and steps would follow it.
            env.remove("SLURM_OPEN_MODE");
        }
        let mut set = |name: &str, value: String| {
            env.insert(name.to_owned(), value);
        };
        if let Some(shims) = inside::bin_of(&self.dir) {
            let path = self.path(&site_path);
            set("PATH", format!("{}:{path}", shims.display()));
        }
        if let Some(export) = &self.launch.site.export {
            set("SLURM_EXPORT_ENV", export.clone());
        }
        if let Some(dependency) = &self.launch.dependency {
            set("SLURM_JOB_DEPENDENCY", dependency.clone());
        }
        set("SUANPAN_ALLOCATION", self.given.order.allocation.to_string());
        set("SUANPAN_SITE", self.given.site.clone());
        set("SUANPAN_CLUSTER", self.given.cluster.clone());
        set("SUANPAN_FLAVOR", run.flavor.clone());
        set("SUANPAN_PARTITION", run.partition.clone());
        set("SLURM_SUBMIT_DIR", self.launch.submit_dir.clone());
        for (name, value) in contract::variables(&self.dir, &self.launch) {
            set(&name, value);
        }
        if let Some(array) = &run.array {
            array_variables(array, &mut set);
        }
        let restarts = u64::from(run.restarts) + slurm_number("SLURM_RESTART_COUNT");
        if restarts > 0 {
            set("SLURM_RESTART_COUNT", restarts.to_string());
        }
        if self.launch.source != Source::Sbatch {
            // What other kinds of job file may count on; a script gets what Slurm gives.
            distributed(run, &self.launch, &mut set);
        }
        env
    }

    /// Where programs are found: first where the submitter found them, then where the site does.
    fn path(&self, of_site: &str) -> String {
        match self.launch.env.get("PATH").filter(|path| *path != of_site) {
            Some(path) => format!("{path}:{of_site}"),
            None => of_site.to_owned(),
        }
    }
}

/// The variables of distributed training, as the `local` driver sets them.
fn distributed(run: &RunOrder, launch: &Launch, set: &mut dyn FnMut(&str, String)) {
    let hosts = std::env::var("SLURM_JOB_NODELIST").unwrap_or_default();
    let hosts: Vec<String> =
        hosts.parse::<Hostlist>().map(|hosts| hosts.expand()).unwrap_or_default();
    set("MASTER_ADDR", hosts.first().cloned().unwrap_or_else(|| "127.0.0.1".to_owned()));
    set("MASTER_PORT", (20_000 + run.job.0 % 10_000).to_string());
    set("NNODES", hosts.len().max(1).to_string());
    set("NODE_RANK", "0".to_owned());
    set("WORLD_SIZE", launch.tasks.max(1).to_string());
    set("RANK", "0".to_owned());
    set("LOCAL_RANK", "0".to_owned());
    if launch.source == Source::Yaml {
        set("SKYPILOT_NODE_RANK", "0".to_owned());
        set("SKYPILOT_NODE_IPS", hosts.join("\n"));
        set("SKYPILOT_NUM_NODES", hosts.len().max(1).to_string());
        set("SKYPILOT_NUM_GPUS_PER_NODE", run.per_node.gpus.to_string());
        set("SKYPILOT_TASK_ID", format!("suanpan-{}_{}", run.job, run.name));
    }
}
