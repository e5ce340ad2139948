//! A journal of our own as a workload: what was submitted, and how long it ran. Read-only; a
//! running server is not disturbed.
//!
//! A job is an attempt that ran and ended for good. It is submitted when its record was made, or at
//! its `--begin` if that is later; it asks the processors of all its nodes and its time limit. Its
//! project becomes the group, its cluster and partition the queue.

use super::job::{Job, Loaded};
use crate::problem::{Problem, Strictness, shown};
use anyhow::Context;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use suanpan_engine::event::{Event, PlacedAllocation, Then};
use suanpan_engine::sequencer::Record;
use suanpan_journal::Reader;
use suanpan_model::id::{AllocationId, ClusterId, JobId};
use suanpan_model::job::PayloadReach;
use suanpan_model::time::Timestamp;
use suanpan_site::report::Outcome;

#[cfg(test)]
mod tests;

/// Reads the journal of a data directory or a backup, and the hash of all of its records.
///
/// # Errors
/// There is no journal, it is damaged, or, if `strictness` says so, a record cannot be read.
pub fn read(dir: &Path, strictness: Strictness) -> anyhow::Result<(Loaded, blake3::Hash)> {
    let reader = Reader::open(dir).with_context(|| format!("no journal in {}", dir.display()))?;
    let mut fold = Fold::new(&dir.display().to_string(), strictness);
    let mut hasher = blake3::Hasher::new();
    let mut stopped = Ok(());
    reader.read_from(0, |record| {
        hasher.update(&record.body);
        stopped = fold.record(record.seq, &record.body);
        if stopped.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    stopped?;
    Ok((fold.finish(), hasher.finalize()))
}

/// Turns records, one after the other, into a workload.
pub struct Fold {
    file: String,
    strictness: Strictness,
    loaded: Loaded,
    jobs: BTreeMap<JobId, Submitted>,
    running: BTreeMap<AllocationId, Attempt>,
    clusters: BTreeMap<ClusterId, String>,
}

/// What is kept of a submission.
struct Submitted {
    at: Timestamp,
    user: u32,
    group: u32,
    program: u32,
}

/// What is kept of an allocation until it ends.
struct Attempt {
    job: JobId,
    started: Option<Timestamp>,
    processors: u32,
    gpus: u32,
    limit_s: u64,
    queue: u32,
}

impl Fold {
    /// Nothing was read yet; `file` is the journal's name in messages.
    #[must_use]
    pub fn new(file: &str, strictness: Strictness) -> Fold {
        Fold {
            file: file.to_owned(),
            strictness,
            loaded: Loaded::default(),
            jobs: BTreeMap::new(),
            running: BTreeMap::new(),
            clusters: BTreeMap::new(),
        }
    }

    /// Takes in a record. Its number stands for the line in messages.
    ///
    /// # Errors
    /// It cannot be read, and this is strict.
    pub fn record(&mut self, seq: u64, body: &[u8]) -> Result<(), Problem> {
        let record = match Record::decode(seq, body) {
            Ok(record) => record,
            Err(_) => {
                let problem = Problem {
                    file: self.file.clone(),
                    line: seq,
                    field: "record".to_owned(),
                    value: shown(&String::from_utf8_lossy(&body[..body.len().min(256)])),
                    expected: "a record that this version knows".to_owned(),
                };
                return self.loaded.skipped.note(problem, self.strictness);
            }
        };
        for event in &record.events {
            self.event(record.at, event);
        }
        Ok(())
    }

    /// The workload of what was read.
    #[must_use]
    pub fn finish(mut self) -> Loaded {
        for _ in &self.running {
            self.loaded.leave_out("had not ended");
        }
        self.loaded.workload.begins = Some(0);
        self.loaded.workload.settle();
        self.loaded
    }

    fn event(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::JobsSubmitted { jobs, .. } => {
                for job in jobs {
                    let workload = &mut self.loaded.workload;
                    let submitted = Submitted {
                        at: job.spec.begin.unwrap_or(at).max(at),
                        user: workload.users.number(&job.spec.user),
                        group: workload.groups.number(&job.spec.project),
                        program: workload.programs.number(&job.spec.name),
                    };
                    self.jobs.insert(job.id, submitted);
                }
            }
            Event::PlanCommitted { allocations, .. } => {
                for allocation in allocations {
                    self.place(allocation);
                }
            }
            Event::AllocationStarted { allocation, at } => {
                if let Some(attempt) = self.running.get_mut(allocation) {
                    attempt.started = Some(*at);
                }
            }
            Event::AllocationEnded { allocation, at, outcome, then, .. } => {
                if let Some(attempt) = self.running.remove(allocation) {
                    self.ended(*allocation, &attempt, *at, outcome, *then);
                }
            }
            Event::AllocationRefused { allocation, .. } => {
                self.running.remove(allocation);
            }
            Event::TasksEnded { positions, .. } => {
                for _ in 0..positions.count().max(1) {
                    self.loaded.leave_out("ended before it ran");
                }
            }
            Event::SiteAdded { cluster, name, .. } | Event::SiteInvited { cluster, name, .. } => {
                self.clusters.insert(*cluster, name.clone());
            }
            _ => {}
        }
    }

    fn place(&mut self, allocation: &PlacedAllocation) {
        let nodes = u32::try_from(allocation.nodes.len()).unwrap_or(u32::MAX);
        let cluster = self.clusters.get(&allocation.cluster).map_or("", String::as_str);
        let queue = format!("{cluster}/{}", allocation.partition);
        let attempt = Attempt {
            job: allocation.job,
            started: None,
            processors: nodes.saturating_mul(allocation.per_node.cpus).max(1),
            gpus: nodes.saturating_mul(allocation.per_node.gpus),
            limit_s: allocation.time_limit.seconds().into(),
            queue: self.loaded.workload.queues.number(&queue),
        };
        self.running.insert(allocation.id, attempt);
    }

    fn ended(
        &mut self,
        id: AllocationId,
        attempt: &Attempt,
        at: Timestamp,
        outcome: &Outcome,
        then: Then,
    ) {
        if outcome.payload == PayloadReach::NeverStarted {
            return self.loaded.leave_out("ended before it ran");
        }
        // A short job's start may be told together with its end, and then is no event.
        let wall = outcome.usage.wall_us.cast_signed().max(0);
        let started = attempt.started.unwrap_or(Timestamp(at.0.saturating_sub(wall)));
        if then == Then::Requeued {
            return self.loaded.leave_out("was put back in the queue");
        }
        let Some(submitted) = self.jobs.get(&attempt.job) else {
            return self.loaded.leave_out("was submitted before the journal begins");
        };
        let second = |at: Timestamp| u64::try_from(at.0 / 1_000_000).unwrap_or(0);
        let submit_s = second(submitted.at.min(started));
        let ran_us = if wall > 0 { wall } else { at.0.saturating_sub(started.0).max(0) };
        let run_s = (ran_us.unsigned_abs() + 500_000) / 1_000_000;
        self.loaded.workload.jobs.push(Job {
            requested_s: attempt.limit_s,
            gpus: attempt.gpus,
            user: submitted.user,
            group: submitted.group,
            program: submitted.program,
            queue: attempt.queue,
            ..Job::bare(id.0, submit_s, run_s, attempt.processors)
        });
    }
}
