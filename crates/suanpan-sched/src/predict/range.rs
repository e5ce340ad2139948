//! Run times as intervals that keep their word.
//!
//! A [`RangePredictor`] says for each job, when it is submitted, between which run times it will
//! end in a given share of cases: quantiles of its [`Belief`](super::learnt::Belief). A belief
//! may be too sure or too cautious, so each job that ends moves the quantiles: outward by much if
//! it ended outside, inward by little if inside. In the long run the share inside is the one that
//! was asked for, whatever the jobs do (adaptive conformal inference: Gibbs and Candès, "Adaptive
//! Conformal Inference Under Distribution Shift", NeurIPS 2021).

use super::JobFeatures;
use super::learnt::History;
use std::collections::BTreeMap;
use suanpan_model::time::Seconds;

#[cfg(test)]
mod tests;

/// Between which run times a job is expected to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunTimeRange {
    /// At least so long.
    pub low: Seconds,
    /// At most so long; never more than requested.
    pub high: Seconds,
}

/// Predicts ranges, and grades them when jobs end.
#[derive(Clone, Debug)]
pub struct RangePredictor {
    history: History,
    /// Share of jobs that is meant to end inside.
    share: f64,
    /// Share of a belief that is cut off at either end; below 0 nothing is, for as long as the
    /// jobs that missed their ranges weigh more than those that met them.
    tail: f64,
    /// Ranges of jobs that have not ended, by sequence.
    open: BTreeMap<u64, RunTimeRange>,
    coverage: Coverage,
}

/// How good ranges were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Ranges that were compared with what happened.
    pub graded: u64,
    /// Jobs that ended before their range.
    pub below: u64,
    /// Jobs that ended after it.
    pub above: u64,
    /// Sum of the widths of the ranges.
    pub width: Seconds,
    /// Sum of the requested times: the width of a range that says nothing.
    pub requested: Seconds,
}

impl Coverage {
    /// Jobs that ended inside.
    #[must_use]
    pub fn inside(&self) -> u64 {
        self.graded - self.below - self.above
    }

    fn grade(&mut self, range: RunTimeRange, job: &JobFeatures, run: Seconds) {
        self.graded += 1;
        self.below += u64::from(run < range.low);
        self.above += u64::from(run > range.high);
        self.width.0 = self.width.0.saturating_add(range.high.0.saturating_sub(range.low.0));
        self.requested.0 = self.requested.0.saturating_add(job.requested.0);
    }
}

impl RangePredictor {
    /// How far one job moves the quantiles.
    const STEP: f64 = 0.005;

    /// Knows nothing yet; a share of jobs, from 0 to 1, is to end inside its range.
    #[must_use]
    pub fn new(share: f64) -> RangePredictor {
        RangePredictor {
            history: History::default(),
            share,
            tail: (1.0 - share) / 2.0,
            open: BTreeMap::new(),
            coverage: Coverage::default(),
        }
    }

    /// The range of a job that is submitted now.
    pub fn predict(&mut self, job: &JobFeatures) -> RunTimeRange {
        let (low, high) = self.history.belief(job, Seconds(0)).range(self.tail);
        let range = RunTimeRange { low, high };
        self.open.insert(job.sequence, range);
        range
    }

    /// Takes note that a job ended: grades its range, and learns from both.
    pub fn ended(&mut self, job: &JobFeatures, run: Seconds) {
        if let Some(range) = self.open.remove(&job.sequence) {
            self.coverage.grade(range, job, run);
            let is_inside = range.low <= run && run <= range.high;
            let step = if is_inside { 1.0 - self.share } else { -self.share };
            self.tail = (self.tail + RangePredictor::STEP * step).clamp(-1.0, 0.5);
        }
        self.history.learn(job, run);
    }

    /// How good the ranges were so far.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        self.coverage
    }
}
