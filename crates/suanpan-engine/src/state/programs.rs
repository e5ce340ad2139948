//! What finished jobs teach about how fast their program runs on a flavor.

use super::{Job, State};
use crate::event::Then;
use std::sync::Arc;
use suanpan_model::id::{AllocationId, JobId};
use suanpan_model::job::JobState;
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_sched::flavor_speed::{News, Program, is_published};
use suanpan_sched::snapshot::{Change, ClassKey};
use suanpan_site::report::Outcome;

impl State {
    /// A job's program, if something is known of it. O(log programs).
    pub(super) fn program(&self, job: &Job) -> Option<Arc<Program>> {
        let spec = &job.spec;
        let published = is_published(&spec.name);
        if self.programs.is_empty() && !published {
            return None;
        }
        let program = Program::of(&spec.user, &spec.name, &spec.shape);
        (published || self.programs.knows(&program)).then(|| Arc::new(program))
    }

    /// What the scheduler knows a job's class by.
    pub(crate) fn class_of(&self, job: &Job) -> ClassKey {
        let (shape, queue) = (self.shape_of(job), self.queue(job));
        ClassKey { shape, queue, program: self.program(job) }
    }

    /// Takes in the run time of a task that completed. Where its program becomes known, or others
    /// are forgotten, their live jobs are told anew to the scheduler: O(jobs of the name).
    pub(super) fn learn_speed(&mut self, id: AllocationId, outcome: &Outcome, then: Then) {
        if then != Then::Over(JobState::Completed) {
            return;
        }
        let placed = &self.allocations[&id].placed;
        let inventory = self.clusters[&placed.cluster].inventory.as_deref();
        let flavors = inventory.map_or(&[][..], |inventory| &inventory.flavors);
        let Some(flavor) = flavors.iter().find(|flavor| flavor.name == placed.flavor) else {
            return;
        };
        let spec = &self.jobs[&placed.job].spec;
        let program = Program::of(&spec.user, &spec.name, &spec.shape);
        let run = Seconds(outcome.usage.wall_us.div_ceil(1_000_000));
        for news in self.programs.learn(&program, flavor, run) {
            match news {
                News::Changed => self.publish_speeds(&program),
                News::Known => {
                    self.publish_speeds(&program);
                    self.publish_jobs_of(&program);
                }
                News::Forgotten(other) => {
                    self.publish_speeds(&other);
                    self.publish_jobs_of(&other);
                }
            }
        }
    }

    /// Takes in when an allocation came to its nodes: how long the site kept it waiting. What has
    /// data to wait for teaches nothing, because it waits for both.
    pub(super) fn learn_wait(&mut self, id: AllocationId, at: Timestamp) {
        let live = &self.allocations[&id];
        let has_come = live.staging_at.is_some() || live.started_at.is_some();
        if has_come || live.placed.prediction.stage.0 > 0 {
            return;
        }
        let cluster = live.placed.cluster;
        let wait = Seconds(at.micros_since(live.placed_at) / 1_000_000);
        let waits = self.waits.entry(cluster).or_default();
        let before = waits.known();
        waits.learn(wait);
        let known = waits.known();
        if before != known {
            self.emit(|| Change::Waits(cluster, known));
        }
    }

    fn publish_speeds(&mut self, program: &Program) {
        if self.derived.emit {
            let speeds = self.programs.speeds(program);
            self.derived.changes.push(Change::Learnt(Arc::new(program.clone()), speeds));
        }
    }

    fn publish_jobs_of(&mut self, program: &Program) {
        if !self.derived.emit {
            return;
        }
        let owner_and_name = (program.user.clone(), program.name.clone());
        let live = self.derived.by_name.get(&owner_and_name).into_iter().flatten();
        let live: Vec<JobId> = live.copied().collect();
        live.into_iter().for_each(|job| self.publish_pending(job));
    }
}
