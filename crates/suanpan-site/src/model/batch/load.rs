//! A model in the state of a live site.

use super::jobs::Running;
use super::{BatchJob, BatchSettings, BatchSite, NeverFits, RunTimes};
use std::cmp::Reverse;
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_sched::predict::JobFeatures;

/// A job that runs at a live site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunningJob {
    /// The job.
    pub job: BatchJob,
    /// When it was submitted.
    pub submitted: Timestamp,
    /// When it started.
    pub started: Timestamp,
}

/// What an onlooker sees of a site, and a batch system tells: not how long jobs will run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visible {
    /// When.
    pub now: Timestamp,
    /// Who runs.
    pub running: Vec<RunningJob>,
    /// Who waits, with the time of submission, in that order.
    pub waiting: Vec<(BatchJob, Timestamp)>,
}

/// A job past its limit that still runs is expected to end this much after now.
const OVERDUE: Seconds = Seconds(60);

impl BatchSite {
    /// Lets time pass to `at`, which is not before any time the site has seen, up to where jobs
    /// may be submitted then.
    pub fn arrive_at(&mut self, at: Timestamp) {
        self.run_before(at);
        self.open(at);
    }

    /// What is visible at `at`, which is not before any time the site has seen, before anything is
    /// submitted then.
    pub fn visible(&mut self, at: Timestamp) -> Visible {
        self.arrive_at(at);
        let mut jobs: Vec<_> = self.jobs.iter().collect();
        jobs.sort_unstable_by_key(|live| live.features.sequence);
        let mut visible = Visible { now: at, running: Vec::new(), waiting: Vec::new() };
        for live in jobs {
            let JobFeatures { user, group, name, queue, processors, requested, submitted, .. } =
                live.features;
            let (id, run) = (live.id, None);
            let job = BatchJob { id, user, group, name, queue, processors, requested, run };
            match live.running {
                Some(Running { start: started, .. }) => {
                    visible.running.push(RunningJob { job, submitted, started });
                }
                None => visible.waiting.push((job, submitted)),
            }
        }
        visible
    }

    /// A site as it is at `now`, with what runs there and, in the order of submission, what waits
    /// there. A job that has outlived its expected run time is expected to run for as long as was
    /// asked for, and one that has outlived that too, a minute more.
    ///
    /// # Errors
    /// A job, or what runs together, needs more processors than the site has.
    pub fn load(
        now: Timestamp,
        settings: BatchSettings,
        run_times: RunTimes,
        running: &[RunningJob],
        waiting: &[(BatchJob, Timestamp)],
    ) -> Result<BatchSite, NeverFits> {
        let mut site = BatchSite::new(now, settings, run_times);
        for job in running {
            site.load_running(now, job)?;
        }
        for (job, submitted) in waiting {
            site.check(job)?;
            let (_, waiting, features) = site.take_in(job, *submitted);
            site.queue.submit(now, waiting, &features, &mut site.profile);
        }
        (site.open, site.pass_due) = (true, true);
        Ok(site)
    }

    fn load_running(&mut self, now: Timestamp, running: &RunningJob) -> Result<(), NeverFits> {
        let RunningJob { job, submitted, started } = *running;
        let (needs, processors) =
            (self.busy.saturating_add(job.processors), self.settings.processors);
        if job.processors == 0 || needs > processors {
            return Err(NeverFits { needs, processors });
        }
        let (ticket, waiting, _) = self.take_in(&job, submitted);
        let elapsed = now.since(started);
        let live = self.jobs.get_mut(ticket.slot).expect("the job was just taken in");
        if live.waiting.hold <= elapsed {
            let late = Seconds(elapsed.0.saturating_add(OVERDUE.0));
            live.waiting.hold = if job.requested > elapsed { job.requested } else { late };
        }
        let hold = live.waiting.hold;
        live.run = if job.run.is_some() { live.run.max(elapsed) } else { hold };
        live.features.requested = live.features.requested.max(hold);
        live.running = Some(Running { start: started, corrections: 0 });
        self.profile.take(now, started.plus(hold), waiting.processors);
        self.ends.push(Reverse((started.plus(live.run), self.starts, ticket.slot)));
        if hold < live.run {
            self.outlived.push(Reverse((started.plus(hold), self.starts, ticket.slot)));
        }
        self.starts += 1;
        self.busy = needs;
        Ok(())
    }
}
