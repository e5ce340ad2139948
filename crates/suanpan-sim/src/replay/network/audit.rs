//! The auditor: reads the records as a stranger would, with a small model of its own, and panics
//! with the broken promise in words. It is the one place of the simulator that looks into events.

use super::{Row, quota_audit};
use std::collections::BTreeMap;
use std::sync::Arc;
use suanpan_engine::event::{Event, PlacedAllocation, Then};
use suanpan_engine::sequencer::Record;
use suanpan_model::id::{AllocationId, ClusterId, JobId};
use suanpan_model::job::{JobState, Sharing};
use suanpan_model::money::MicroCredits;
use suanpan_model::time::Timestamp;
use suanpan_model::tres::Tres;
use suanpan_sched::quota::policy::QuotaPolicy;
use suanpan_sched::reason::Explanation;

/// What the auditor knows, folded from records only.
#[derive(Debug, Default)]
pub(super) struct Auditor {
    /// Free amount of each node.
    free: BTreeMap<ClusterId, Vec<Tres>>,
    /// When each job that is not over was submitted.
    submitted: BTreeMap<JobId, Timestamp>,
    attempts: BTreeMap<AllocationId, Attempt>,
    last: AllocationId,
    /// Projects of the jobs that are not over.
    projects: BTreeMap<JobId, String>,
    quotas: Option<Arc<QuotaPolicy>>,
}

#[derive(Debug)]
struct Attempt {
    placed: PlacedAllocation,
    explanation: Arc<Explanation>,
    at: Timestamp,
    started: Option<Timestamp>,
}

impl Auditor {
    /// Takes in a record; gives the attempts that ended with it.
    pub(super) fn see(&mut self, record: &Record) -> Vec<Row> {
        let mut rows = Vec::new();
        for event in &record.events {
            match event {
                Event::JobsSubmitted { jobs, .. } => {
                    self.submitted.extend(jobs.iter().map(|job| (job.id, record.at)));
                    let projects = jobs.iter().map(|job| (job.id, job.spec.project.clone()));
                    self.projects.extend(projects);
                }
                Event::InventoryRecorded { cluster, inventory } => {
                    let free = inventory.nodes.iter().map(|node| node.capacity).collect();
                    self.free.insert(*cluster, free);
                }
                Event::PlanCommitted { allocations, explanations } => {
                    for placed in allocations {
                        let explanation = &explanations[placed.explanation as usize];
                        self.placed(record.at, placed, Arc::clone(explanation));
                    }
                    self.check_quotas(allocations);
                }
                Event::AllocationStarted { allocation, at } => {
                    let attempt = self.attempts.get_mut(allocation).expect("placed, then started");
                    assert!(attempt.started.is_none(), "{allocation} starts once");
                    attempt.started = Some(*at);
                }
                Event::AllocationEnded { allocation, at, charge, then, .. } => {
                    rows.push(self.ended(*allocation, *at, *charge, *then));
                }
                Event::AllocationRefused { allocation, .. } => {
                    rows.push(self.ended(
                        *allocation,
                        record.at,
                        MicroCredits::ZERO,
                        Then::Requeued,
                    ));
                }
                Event::TasksEnded { job, .. } => {
                    self.submitted.remove(job);
                    self.projects.remove(job);
                }
                Event::QuotasSet { policy } => self.quotas.clone_from(policy),
                _ => {}
            }
        }
        rows
    }

    fn placed(&mut self, at: Timestamp, placed: &PlacedAllocation, explanation: Arc<Explanation>) {
        assert!(placed.id > self.last, "allocation ids rise: {} after {}", placed.id, self.last);
        self.last = placed.id;
        let submitted = self.submitted.get(&placed.job);
        assert!(submitted.is_some_and(|submitted| *submitted <= at), "{} is live", placed.job);
        let free = self.free.get_mut(&placed.cluster).expect("placed on a known cluster");
        for &node in &placed.nodes {
            let node = &mut free[node as usize];
            *node = node.checked_sub(&placed.per_node).expect("no node is given out twice");
            assert!(
                placed.sharing == Sharing::Shared || *node == Tres::default(),
                "an exclusive job has its node to itself"
            );
        }
        let attempt = Attempt { placed: placed.clone(), explanation, at, started: None };
        self.attempts.insert(placed.id, attempt);
    }

    /// No start takes a project beyond what the quotas permit.
    fn check_quotas(&self, started: &[PlacedAllocation]) {
        let Some(policy) = &self.quotas else { return };
        let project = |job: &JobId| self.projects[job].as_str();
        let running = self.attempts.values().map(|attempt| &attempt.placed);
        let running = running.map(|placed| (project(&placed.job), placed));
        let started = started.iter().map(|placed| (project(&placed.job), placed));
        quota_audit::check(policy, running, &started.collect::<Vec<_>>());
    }

    fn ended(&mut self, id: AllocationId, at: Timestamp, charge: MicroCredits, then: Then) -> Row {
        let attempt = self.attempts.remove(&id).expect("an attempt ends once");
        let Attempt { placed, explanation, at: placed_at, started } = attempt;
        assert!(charge <= placed.prediction.cost, "{id} is charged at most what was set aside");
        let free = self.free.get_mut(&placed.cluster).expect("it was placed there");
        for &node in &placed.nodes {
            let node = &mut free[node as usize];
            *node = node.plus(&placed.per_node);
        }
        let submitted = self.submitted[&placed.job];
        let state = match then {
            Then::Over(state) => {
                self.submitted.remove(&placed.job);
                self.projects.remove(&placed.job);
                state
            }
            Then::Requeued => JobState::Pending,
        };
        let nodes = u32::try_from(placed.nodes.len()).expect("gangs have fewer than 2^32 nodes");
        Row {
            job: placed.job,
            submitted,
            cluster: placed.cluster,
            partition: placed.partition,
            flavor: placed.flavor,
            nodes,
            cpus: placed.per_node.cpus * nodes,
            gpus: placed.per_node.gpus * nodes,
            placed: placed_at,
            started: started.unwrap_or(placed_at),
            ended: at,
            state,
            charge,
            prediction: placed.prediction,
            explanation,
        }
    }

    /// At the end of a replay nothing may be left over.
    pub(super) fn finish(&self) {
        assert!(self.attempts.is_empty(), "every attempt ended");
    }
}
