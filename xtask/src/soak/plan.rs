//! What a run will submit and where it will be hit, from its seed alone.

use super::dice::Dice;
use super::faults::Fault;
use crate::repo::Repo;
use anyhow::{Result, ensure};
use std::collections::BTreeSet;
use std::path::Path;

/// One request: a job, several, or an array. Each task appends a line to a file of its own number.
pub struct Submission {
    /// Route.
    pub path: &'static str,
    /// Idempotency key.
    pub key: String,
    /// JSON.
    pub body: String,
    /// Number of its first task; the others follow.
    pub first: usize,
    /// How many tasks it has.
    pub tasks: usize,
    /// How many jobs it makes.
    pub jobs: usize,
}

/// Requests that make `tasks` tasks together.
pub fn submissions(dice: &mut Dice, tasks: usize, folder: &Path) -> Vec<Submission> {
    let mut list = Vec::new();
    let mut first = 0;
    while first < tasks {
        let many = (2 + dice.below(19)).min(tasks - first);
        let key = format!("soak-{first}");
        let submission = match dice.below(4) {
            0 if many > 1 => {
                let jobs: Vec<_> =
                    (0..many).map(|next| job(dice, first + next, None, folder)).collect();
                let body = serde_json::json!({ "jobs": jobs }).to_string();
                let path = "/v1/jobs/bulk";
                Submission { path, key, body, first, tasks: many, jobs: many }
            }
            1 if many > 1 => {
                let body = job(dice, first, Some(many), folder).to_string();
                Submission { path: "/v1/jobs", key, body, first, tasks: many, jobs: 1 }
            }
            _ => {
                let body = job(dice, first, None, folder).to_string();
                Submission { path: "/v1/jobs", key, body, first, tasks: 1, jobs: 1 }
            }
        };
        first += submission.tasks;
        list.push(submission);
    }
    list
}

fn job(dice: &mut Dice, first: usize, tasks: Option<usize>, folder: &Path) -> serde_json::Value {
    let (before, after) = (dice.below(200), dice.below(100));
    let out = folder.join("out");
    let out = out.display();
    let script = format!(
        "#!/bin/sh\nn=$(({first} + ${{SLURM_ARRAY_TASK_ID:-0}}))\nsleep 0.{before:03}\n\
         echo \"$n $SUANPAN_ALLOCATION $SLURM_RESTART_COUNT\" >> {out}/$n\nsleep 0.{after:03}\n"
    );
    let mut job = serde_json::json!({
        "payload": { "script": script }, "name": format!("soak-{first}"), "time": "5",
        "mem": "64M", "submit_dir": folder.join("work"),
    });
    if let Some(tasks) = tasks {
        job["array"] = format!("0-{}", tasks - 1).into();
    }
    job
}

/// Failpoints that do something else than end the process.
const NO_CRASH: [&str; 3] = ["journal-disk-full", "journal-synchronous-off", "journal-wal-eager"];

/// The names of all failpoints in the sources at which a process ends.
///
/// # Errors
/// If the sources cannot be read or have none.
pub fn failpoints() -> Result<Vec<String>> {
    let repo = Repo::open()?;
    let mut names = BTreeSet::new();
    for (path, text) in repo.texts_ending(&[".rs"]) {
        if !path.starts_with("crates/") || !path.contains("/src/") {
            continue;
        }
        for opening in ["fail_point!(\"", "reached(\""] {
            let after = text.split(opening).skip(1);
            names.extend(after.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        }
    }
    let known = ["server-", "journal-", "agent-", "supervisor-", "gate-"];
    names.retain(|name| known.iter().any(|start| name.starts_with(start)));
    names.retain(|name| !NO_CRASH.contains(&name.as_str()));
    ensure!(!names.is_empty(), "no failpoint is named in the sources");
    Ok(names.into_iter().collect())
}

/// `kills` random kills and one crash at each of `failpoints`, in random order.
pub fn faults(dice: &mut Dice, kills: usize, failpoints: &[String], sites: usize) -> Vec<Fault> {
    let mut faults: Vec<Fault> = (0..kills)
        .map(|_| match dice.below(10) {
            0..4 => Fault::Server,
            4..8 => Fault::Agent(dice.below(sites)),
            _ => Fault::Both(dice.below(sites)),
        })
        .collect();
    for name in failpoints {
        let site = dice.below(sites);
        faults.push(match name.split('-').next() {
            Some("server" | "journal") => Fault::InServer(name.clone(), dice.below(40)),
            Some("agent") => Fault::InAgent(name.clone(), site),
            _ => Fault::InSupervisor(name.clone(), site),
        });
    }
    dice.shuffle(&mut faults);
    faults
}
