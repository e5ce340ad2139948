//! When would this start: an interval, and how good such answers were.

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
}

/// When a job would start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartEstimate {
    /// If the jobs before it run shorter than most do.
    pub earliest: Timestamp,
    /// If they run as half of all jobs do.
    pub expected: Timestamp,
    /// If they run for all of their requested times.
    pub latest: Timestamp,
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
