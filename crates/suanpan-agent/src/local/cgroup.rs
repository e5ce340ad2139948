//! Control groups: the limits on memory, processors and processes that the kernel holds.
//!
//! Version 2 is used for the controllers that are delegated to the agent there, version 1 for
//! those that are mounted separately. Each allocation gets one group under
//! `suanpan/<agent>/<allocation>`, and in it one group per node of the job (`node0`, `node1`,
//! …): the batch script lives in `node0`, the tasks that `srun` starts for node *k* in `node<k>`.
//! Memory and processors are limited per node, the number of processes for the whole job.
//!
//! The groups are made below the agent's own group, so a limit that somebody set on the agent
//! (a container, a service manager) holds for its jobs too. Whatever cannot be made is stated in
//! the inventory as not enforced.

use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use suanpan_model::site::EnforcedLimit;
use suanpan_model::tres::Tres;

#[cfg(test)]
mod tests;

/// Most processes and threads of one job.
pub const PIDS_MAX: u32 = 4096;

/// The hierarchies in which groups are made; empty where none can be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// One for version 2, one per mount for version 1.
    pub hierarchies: Vec<Hierarchy>,
}

/// One tree of groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hierarchy {
    /// Which interface its files have.
    pub version: Version,
    /// What it limits or counts here: `memory`, `cpu`, `cpuacct`, `pids`.
    pub controllers: Vec<String>,
    /// The cluster's directory in it.
    pub dir: PathBuf,
}

/// The two interfaces of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Version {
    /// One tree per controller.
    V1,
    /// One tree for all.
    V2,
}

/// A place where the kernel shows a hierarchy, and the agent's own group in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    version: Version,
    controllers: Vec<String>,
    own: PathBuf,
}

const WANTED: [&str; 4] = ["memory", "cpu", "cpuacct", "pids"];

/// Finds out what can be limited on this machine, making the directories of the agent of this
/// name, which no other agent on the machine has.
#[must_use]
pub fn detect(agent: &str) -> (Plan, Vec<EnforcedLimit>) {
    let mountinfo = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut plan = Plan::default();
    let mut refusals: Vec<(String, String)> = Vec::new();
    // Version 2 comes first: a controller it has is in no version 1 hierarchy.
    for mount in mounts(&mountinfo, &own) {
        match prepare(&mount, agent) {
            Ok(Some(hierarchy)) => plan.hierarchies.push(hierarchy),
            Ok(None) => {}
            Err((dir, error)) => {
                let why = format!("none (no group can be made under {}: {error})", dir.display());
                refusals.extend(mount.controllers.iter().map(|name| (name.clone(), why.clone())));
            }
        }
    }
    let enforced = ["memory", "cpu", "pids"].map(|limit| EnforcedLimit {
        limit: limit.to_owned(),
        by: enforced_by(&plan, &refusals, limit),
    });
    (plan, enforced.into())
}

fn enforced_by(plan: &Plan, refusals: &[(String, String)], limit: &str) -> String {
    let has = |h: &&Hierarchy| h.controllers.iter().any(|name| name == limit);
    match plan.hierarchies.iter().find(has) {
        Some(Hierarchy { version: Version::V1, .. }) => "cgroup v1".into(),
        Some(Hierarchy { version: Version::V2, .. }) => "cgroup v2".into(),
        None if limit == "memory" => {
            "supervisor (the job is killed when the memory of its processes, read every second, \
             is above the limit)"
                .into()
        }
        None => {
            let refusal = refusals.iter().find(|(name, _)| name == limit);
            let absent = || format!("none (this machine has no {limit} controller)");
            refusal.map_or_else(absent, |(_, why)| why.clone())
        }
    }
}

/// The hierarchies in `/proc/self/mountinfo` with the process's own place in each, version 2 first.
fn mounts(mountinfo: &str, own: &str) -> Vec<Mount> {
    let mut found = Vec::new();
    for line in mountinfo.lines() {
        let Some((before, after)) = line.split_once(" - ") else { continue };
        let before: Vec<&str> = before.split(' ').collect();
        let after: Vec<&str> = after.split(' ').collect();
        let (Some(root), Some(point), Some(kind)) = (before.get(3), before.get(4), after.first())
        else {
            continue;
        };
        let options = after.get(2).copied().unwrap_or_default();
        let (version, controllers) = match *kind {
            "cgroup2" => (Version::V2, Vec::new()),
            "cgroup" => {
                let known = options.split(',').filter(|name| WANTED.contains(name));
                (Version::V1, known.map(str::to_owned).collect::<Vec<_>>())
            }
            _ => continue,
        };
        if version == Version::V1 && controllers.is_empty() {
            continue;
        }
        let Some(path) = own_path(own, controllers.first().map(String::as_str)) else { continue };
        // Inside a container the mount shows only part of the tree.
        let relative = path.strip_prefix(root).unwrap_or(path).trim_start_matches('/');
        let own = Path::new(point).join(relative);
        if !found.iter().any(|mount: &Mount| mount.own == own) {
            found.push(Mount { version, controllers, own });
        }
    }
    found.sort_by_key(|mount| mount.version == Version::V1);
    found
}

/// The path of `/proc/self/cgroup` for a controller, or for version 2 (`None`).
fn own_path<'a>(own: &'a str, controller: Option<&str>) -> Option<&'a str> {
    own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_, names, path) = (fields.next()?, fields.next()?, fields.next()?);
        let ours = match controller {
            None => names.is_empty(),
            Some(wanted) => names.split(',').any(|name| name == wanted),
        };
        ours.then_some(path)
    })
}

type Refused = (PathBuf, io::Error);

fn prepare(mount: &Mount, agent: &str) -> Result<Option<Hierarchy>, Refused> {
    let mut base = mount.own.clone();
    let mut controllers = mount.controllers.clone();
    if mount.version == Version::V2 {
        // After a restart the agent finds itself in the leaf it made the first time.
        if base.ends_with(AGENT_LEAF) {
            base.pop();
        }
        controllers = delegated(&base);
        if controllers.is_empty() {
            return Ok(None);
        }
        enable(&base, &controllers).map_err(|error| (base.clone(), error))?;
    }
    let mut dir = base;
    for name in ["suanpan", agent] {
        dir.push(name);
        make(&dir).map_err(|error| (dir.clone(), error))?;
        if mount.version == Version::V2 {
            enable(&dir, &controllers).map_err(|error| (dir.clone(), error))?;
        }
    }
    Ok(Some(Hierarchy { version: mount.version, controllers, dir }))
}

const AGENT_LEAF: &str = "suanpan-agent";

fn delegated(base: &Path) -> Vec<String> {
    let text = fs::read_to_string(base.join("cgroup.controllers")).unwrap_or_default();
    text.split_whitespace().filter(|name| WANTED.contains(name)).map(str::to_owned).collect()
}

/// Lets children of `base` have the controllers. A version 2 group with children and controllers
/// may hold no process itself, so the agent first moves itself into a leaf.
fn enable(base: &Path, controllers: &[String]) -> io::Result<()> {
    let file = base.join("cgroup.subtree_control");
    let enabled = fs::read_to_string(&file)?;
    let missing: Vec<String> = controllers
        .iter()
        .filter(|name| !enabled.split_whitespace().any(|have| have == name.as_str()))
        .map(|name| format!("+{name}"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let line = missing.join(" ");
    match fs::write(&file, &line) {
        Err(error) if error.raw_os_error() == Some(nix::errno::Errno::EBUSY as i32) => {
            let leaf = base.join(AGENT_LEAF);
            make(&leaf)?;
            fs::write(leaf.join("cgroup.procs"), "0")?;
            fs::write(&file, &line)
        }
        other => other,
    }
}

fn make(dir: &Path) -> io::Result<()> {
    match fs::create_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// The groups of one job.
#[derive(Clone, Debug)]
pub struct JobGroups {
    roots: Vec<(Hierarchy, PathBuf)>,
}

impl JobGroups {
    /// The groups a job has or would have.
    #[must_use]
    pub fn of(plan: &Plan, name: &str) -> JobGroups {
        let root = |hierarchy: &Hierarchy| (hierarchy.clone(), hierarchy.dir.join(name));
        JobGroups { roots: plan.hierarchies.iter().map(root).collect() }
    }

    /// Makes the groups of a job with `nodes` nodes and sets the limits.
    ///
    /// # Errors
    /// If the kernel refuses; the message names the file.
    pub fn create(&self, nodes: usize, per_node: &Tres) -> io::Result<()> {
        for (hierarchy, root) in &self.roots {
            make(root).map_err(|error| naming(root, &error))?;
            if hierarchy.version == Version::V2 {
                enable(root, &hierarchy.controllers).map_err(|error| naming(root, &error))?;
            }
            limit_pids(hierarchy, root)?;
            for index in 0..nodes {
                let node = root.join(format!("node{index}"));
                make(&node).map_err(|error| naming(&node, &error))?;
                limit_node(hierarchy, &node, per_node)?;
            }
        }
        Ok(())
    }

    /// The files into which a process writes itself to join node `index`.
    #[must_use]
    pub fn joins(&self, index: usize) -> Vec<PathBuf> {
        let file = |root: &PathBuf| root.join(format!("node{index}")).join("cgroup.procs");
        self.roots.iter().map(|(_, root)| file(root)).collect()
    }

    /// Whether the kernel limits memory.
    #[must_use]
    pub fn limits_memory(&self) -> bool {
        self.roots.iter().any(|(hierarchy, _)| hierarchy.controls("memory"))
    }

    /// Processes in any of the groups.
    #[must_use]
    pub fn members(&self) -> Vec<i32> {
        let mut pids = Vec::new();
        for root in self.roots.iter().map(|(_, root)| root) {
            for dir in tree(root) {
                let text = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
                pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
            }
        }
        pids.sort_unstable();
        pids.dedup();
        pids
    }

    /// Processor time in microseconds and peak memory in bytes, where they are counted.
    #[must_use]
    pub fn usage(&self) -> (Option<u64>, Option<u64>) {
        let mut cpu = None;
        let mut memory = None;
        for (hierarchy, root) in &self.roots {
            match hierarchy.version {
                Version::V1 => {
                    if hierarchy.controls("cpuacct") {
                        cpu = number(&root.join("cpuacct.usage")).map(|ns| ns / 1000);
                    }
                    if hierarchy.controls("memory") {
                        memory = number(&root.join("memory.max_usage_in_bytes"));
                    }
                }
                Version::V2 => {
                    cpu = field(&root.join("cpu.stat"), "usage_usec");
                    memory = number(&root.join("memory.peak"));
                }
            }
        }
        (cpu, memory)
    }

    /// How many processes the kernel killed for memory.
    #[must_use]
    pub fn oom_kills(&self) -> u64 {
        let mut kills = 0;
        for (hierarchy, root) in self.roots.iter().filter(|(h, _)| h.controls("memory")) {
            let file = match hierarchy.version {
                Version::V1 => "memory.oom_control",
                Version::V2 => "memory.events.local",
            };
            let count = |dir: PathBuf| field(&dir.join(file), "oom_kill").unwrap_or(0);
            kills += tree(root).into_iter().map(count).sum::<u64>();
        }
        kills
    }

    /// Removes the groups; those that still hold processes stay.
    pub fn remove(&self) {
        for (_, root) in &self.roots {
            for dir in tree(root) {
                // A process that was just killed leaves its group a moment later.
                for _ in 0..20 {
                    match fs::remove_dir(&dir) {
                        Err(error) if error.kind() != io::ErrorKind::NotFound => {
                            std::thread::sleep(std::time::Duration::from_millis(5));
                        }
                        _ => break,
                    }
                }
            }
        }
    }
}

impl Hierarchy {
    fn controls(&self, controller: &str) -> bool {
        self.controllers.iter().any(|name| name == controller)
    }
}

fn limit_pids(hierarchy: &Hierarchy, root: &Path) -> io::Result<()> {
    if hierarchy.controls("pids") {
        put(&root.join("pids.max"), &PIDS_MAX.to_string())?;
    }
    Ok(())
}

/// Full speed of one processor is this much time per period, microseconds.
const CPU_PERIOD_US: u64 = 100_000;

fn limit_node(hierarchy: &Hierarchy, node: &Path, per_node: &Tres) -> io::Result<()> {
    let cpus = u64::from(per_node.cpus.max(1));
    let quota = cpus * CPU_PERIOD_US;
    let memory = per_node.memory.bytes().unwrap_or(u64::MAX).to_string();
    match hierarchy.version {
        Version::V1 => {
            if hierarchy.controls("memory") && per_node.memory.get() > 0 {
                put(&node.join("memory.limit_in_bytes"), &memory)?;
                // Swap is limited where the kernel counts it; elsewhere there is no such file.
                let _ = put(&node.join("memory.memsw.limit_in_bytes"), &memory);
            }
            if hierarchy.controls("cpu") {
                put(&node.join("cpu.shares"), &(cpus * 1024).min(262_144).to_string())?;
                put(&node.join("cpu.cfs_period_us"), &CPU_PERIOD_US.to_string())?;
                put(&node.join("cpu.cfs_quota_us"), &quota.to_string())?;
            }
        }
        Version::V2 => {
            if hierarchy.controls("memory") && per_node.memory.get() > 0 {
                put(&node.join("memory.max"), &memory)?;
                let _ = put(&node.join("memory.swap.max"), "0");
            }
            if hierarchy.controls("cpu") {
                put(&node.join("cpu.weight"), &(cpus * 100).min(10_000).to_string())?;
                put(&node.join("cpu.max"), &format!("{quota} {CPU_PERIOD_US}"))?;
            }
        }
    }
    Ok(())
}

fn put(file: &Path, value: &str) -> io::Result<()> {
    fs::write(file, value).map_err(|error| naming(file, &error))
}

fn naming(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// A group and all groups below it (a job may have made some itself), the innermost first.
fn tree(root: &Path) -> Vec<PathBuf> {
    let mut groups = Vec::new();
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            groups.extend(tree(&entry.path()));
        }
    }
    groups.push(root.to_owned());
    groups
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn field(file: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    line.trim().parse().ok()
}
