//! When would this start: an interval, and how good such answers were.

use super::{BatchJob, BatchSite, NeverFits, RunTimes};
use std::cmp::Reverse;
use suanpan_model::time::{Seconds, Timestamp};

/// How much of its requested time a job uses, counted over the jobs that ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Shares {
    /// Jobs by share, in steps of a thirty-second.
    counts: [u64; Shares::STEPS],
    total: u64,
}

impl Shares {
    const STEPS: usize = 32;

    pub(super) fn add(&mut self, run: Seconds, requested: Seconds) {
        let step = run.0.saturating_mul(Shares::STEPS as u64) / requested.0.max(1);
        self.counts[(step as usize).min(Shares::STEPS - 1)] += 1;
        self.total += 1;
    }

    /// The part of its requested time, in thirty-seconds, within which this share of the jobs
    /// ended, in tenths; all of it while no job has ended.
    fn part(&self, tenths: u64) -> u64 {
        let mut ended = 0;
        for (step, count) in self.counts.iter().enumerate() {
            ended += count;
            if ended > 0 && ended * 10 >= self.total * tenths {
                return step as u64 + 1;
            }
        }
        Shares::STEPS as u64
    }
}

/// When a job would start if it were submitted now and nobody after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartEstimate {
    /// If all jobs end as early, against their requested times, as a tenth of them does here.
    pub earliest: Timestamp,
    /// If they end as half of them does.
    pub expected: Timestamp,
    /// If they run for all of their requested times.
    pub latest: Timestamp,
}

impl BatchSite {
    /// When a job would start if it were submitted now. The site itself is not changed; a copy of
    /// it runs on three times, with other run times, until the job starts.
    ///
    /// # Errors
    /// The job never fits the site.
    pub fn when(&self, job: &BatchJob) -> Result<StartEstimate, NeverFits> {
        let parts = [self.shares.part(1), self.shares.part(5), Shares::STEPS as u64];
        let mut starts = [Timestamp::MAX; 3];
        for (start, part) in starts.iter_mut().zip(parts) {
            *start = self.imagined(part).submit_and_see(job)?;
        }
        // A job that ends early can, rarely, delay another.
        starts.sort_unstable();
        let [earliest, expected, latest] = starts;
        Ok(StartEstimate { earliest, expected, latest })
    }

    /// Submits a job now, and lets time pass until it starts.
    fn submit_and_see(mut self, job: &BatchJob) -> Result<Timestamp, NeverFits> {
        let ticket = self.submit(self.now, BatchJob { run: None, ..*job })?;
        self.closed = true;
        while let Some(next) = self.next_event() {
            self.run_until(next);
            self.happened.clear();
            if let Some(start) = self.start_of(ticket) {
                return Ok(start);
            }
        }
        unreachable!("a job that fits the machine starts")
    }

    /// A copy in which each job runs for a part, in thirty-seconds, of its requested time.
    fn imagined(&self, part: u64) -> BatchSite {
        let mut copy = BatchSite::new(self.now, self.settings, RunTimes::Requested);
        copy.queue = self.queue.imagined();
        copy.profile = self.profile.clone();
        copy.jobs = self.jobs.clone();
        (copy.open, copy.pass_due) = (self.open, self.pass_due);
        (copy.submissions, copy.starts, copy.busy) = (self.submissions, self.starts, self.busy);
        for (slot, job) in copy.jobs.iter_mut() {
            let requested = job.features.requested;
            let run = requested.0.saturating_mul(part).div_ceil(Shares::STEPS as u64);
            job.run = Seconds(run.clamp(1, requested.0.max(1)));
            let Some(running) = job.running else { continue };
            // It still runs now, so it runs a little longer than it has.
            let elapsed = self.now.since(running.start);
            job.run = job.run.max(Seconds(elapsed.0 + 1));
            let (end, hold) = (running.start.plus(job.run), job.waiting.hold);
            copy.ends.push(Reverse((end, job.features.sequence, slot)));
            if hold < job.run {
                let outlived = running.start.plus(hold);
                copy.outlived.push(Reverse((outlived, job.features.sequence, slot)));
            }
        }
        copy
    }
}

/// How good estimates were: a grade for a site's model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calibration {
    /// Estimates that were compared with what happened.
    pub graded: u64,
    /// Starts before the interval.
    pub before: u64,
    /// Starts after the interval.
    pub after: u64,
    /// Sum of the distances of the expected start from the true one.
    pub error: Seconds,
}

impl Calibration {
    /// Compares an estimate with the true start.
    pub fn grade(&mut self, estimate: &StartEstimate, started: Timestamp) {
        self.graded += 1;
        self.before += u64::from(started < estimate.earliest);
        self.after += u64::from(started > estimate.latest);
        let error = started.since(estimate.expected).max(estimate.expected.since(started));
        self.error = Seconds(self.error.0.saturating_add(error.0));
    }

    /// Starts inside the interval.
    #[must_use]
    pub fn inside(&self) -> u64 {
        self.graded - self.before - self.after
    }
}
