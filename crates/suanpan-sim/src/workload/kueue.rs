//! The generator files of Kueue's performance tests
//! (`test/performance/scheduler/configs/*/generator.yaml` of kubernetes-sigs/kueue).
//!
//! Such a file says how many cohorts, queues and workloads there are. Each set of workloads of each
//! queue is created by a loop of its own: wait for `creationIntervalMs`, create the next template,
//! `count` times through the list. A workload asks `request` CPUs; only one with a `tasLevel` has
//! `podCount` pods of that size, as in Kueue's own runner, and `devices` for each of them.
//!
//! These tests squeeze minutes into fractions of a second, so **a millisecond of the file is a
//! second here**. The template becomes the program, the queue the queue, its cohort the group.
//! Quotas, preemption rules, priorities and topology are not part of a workload and are left aside.
//!
//! The file is a description and not a log: its first error ends the import, however strict.

use super::job::{Job, Loaded};
use crate::problem::{Problem, shown};
use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

#[cfg(test)]
mod tests;

/// More workloads than this are taken for a mistake.
const JOBS_MAX: u64 = 10_000_000;

#[derive(Deserialize)]
struct File {
    cohorts: Vec<Cohorts>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cohorts {
    class_name: String,
    count: u32,
    queues_sets: Vec<Queues>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Queues {
    class_name: String,
    count: u32,
    #[serde(default)]
    workloads_sets: Vec<Set>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Set {
    count: u32,
    #[serde(default)]
    creation_interval_ms: u32,
    workloads: Vec<Template>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Template {
    class_name: String,
    runtime_ms: u32,
    #[serde(deserialize_with = "cpus")]
    request: u32,
    #[serde(default)]
    pod_count: u32,
    #[serde(default)]
    tas_level: String,
    #[serde(default)]
    devices: u32,
}

/// A Kubernetes quantity of CPUs, rounded up: `2`, `"2"`, `"1.5"`, `"500m"`.
fn cpus<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    from.deserialize_any(Cpus)
}

/// Reads a quantity where it stands, so that a message has its line.
struct Cpus;

impl Visitor<'_> for Cpus {
    type Value = u32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CPUs from 1m to 1000000, such as 2, \"1.5\" or \"500m\"")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<u32, E> {
        self.visit_f64(number as f64)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<u32, E> {
        let amount = number.ceil();
        let fits = (1.0..=1e6).contains(&amount);
        let wrong = || E::invalid_value(Unexpected::Float(number), &self);
        fits.then_some(amount as u32).ok_or_else(wrong)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<u32, E> {
        let (digits, share) = match text.strip_suffix('m') {
            Some(digits) => (digits, 1000.0),
            None => (text, 1.0),
        };
        match digits.parse::<f64>() {
            Ok(amount) => self.visit_f64(amount / share),
            Err(_) => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

/// Reads a generator file.
///
/// # Errors
/// The first thing that is wrong.
pub fn read(text: &str, file: &str) -> Result<Loaded, Problem> {
    let written: File =
        serde_yaml_ng::from_str(text).map_err(|error| problem(text, file, &error))?;
    let count = |set: &Set| u64::from(set.count) * set.workloads.len() as u64;
    let queues = written.cohorts.iter().flat_map(|cohorts| {
        cohorts.queues_sets.iter().map(move |queues| (u64::from(cohorts.count), queues))
    });
    let jobs = queues
        .map(|(cohorts, queues)| {
            let each = queues.workloads_sets.iter().map(count).fold(0, u64::saturating_add);
            cohorts.saturating_mul(u64::from(queues.count)).saturating_mul(each)
        })
        .fold(0, u64::saturating_add);
    if jobs > JOBS_MAX {
        return Err(Problem {
            file: file.to_owned(),
            line: 0,
            field: "count".to_owned(),
            value: format!("{jobs} workloads in all"),
            expected: format!("at most {JOBS_MAX}"),
        });
    }
    let mut loaded = Loaded::default();
    for cohorts in &written.cohorts {
        for number in 0..cohorts.count {
            let cohort = format!("{}-{number}", cohorts.class_name);
            for (set, queues) in cohorts.queues_sets.iter().enumerate() {
                for queue in 0..queues.count {
                    let name = format!("{}-{set}-{queue}-{cohort}", queues.class_name);
                    create(&mut loaded, queues, &cohort, &name);
                }
            }
        }
    }
    loaded.workload.settle();
    for (index, job) in loaded.workload.jobs.iter_mut().enumerate() {
        job.id = index as u64 + 1;
    }
    Ok(loaded)
}

/// The workloads of one queue.
fn create(loaded: &mut Loaded, queues: &Queues, cohort: &str, name: &str) {
    let workload = &mut loaded.workload;
    let (group, queue) = (workload.groups.number(cohort), workload.queues.number(name));
    for set in &queues.workloads_sets {
        let mut at = 0;
        for _ in 0..set.count {
            for template in &set.workloads {
                at += u64::from(set.creation_interval_ms);
                let pods = match template.tas_level.as_str() {
                    "" => 1,
                    _ => template.pod_count.max(1),
                };
                let processors = template.request.saturating_mul(pods);
                let run_s = u64::from(template.runtime_ms);
                // Until all are sorted and numbered, the order of creation decides ties.
                let id = workload.jobs.len() as u64;
                workload.jobs.push(Job {
                    gpus: template.devices.saturating_mul(pods),
                    group,
                    program: workload.programs.number(&template.class_name),
                    queue,
                    ..Job::bare(id, at, run_s, processors)
                });
            }
        }
    }
}

fn problem(text: &str, file: &str, error: &serde_yaml_ng::Error) -> Problem {
    let line = error.location().map_or(0, |at| at.line() as u64);
    let told = error.to_string();
    let told = told.rsplit_once(" at line ").map_or(told.as_str(), |(told, _)| told);
    let (field, expected) = told.split_once(": ").unwrap_or(("file", told));
    let value = match line {
        0 => "",
        line => text.lines().nth(line as usize - 1).unwrap_or_default().trim(),
    };
    let (file, value) = (file.to_owned(), shown(value));
    Problem { file, line, field: field.to_owned(), value, expected: expected.to_owned() }
}
