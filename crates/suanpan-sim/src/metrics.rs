//! The measures by which the literature compares schedules, over the rows of a run.
//!
//! Each has one definition here, and needs nothing but the rows: a report's numbers can be
//! recomputed from its per-job file. Feitelson and Rudolph, "Metrics and Benchmarking for
//! Parallel Job Scheduling", JSSPP 1998.

use crate::replay::batch::JobRow;

/// The threshold that the literature uses for [`bounded_slowdown`], in seconds.
pub const SLOWDOWN_THRESHOLD: i64 = 10;

/// `max((wait + run) / max(run, threshold), 1)`; the threshold, in seconds, keeps the shortest
/// jobs from deciding everything.
#[must_use]
pub fn bounded_slowdown(row: &JobRow, threshold: i64) -> f64 {
    let (response, run) = (row.end - row.submit, row.run());
    (response as f64 / run.max(threshold).max(1) as f64).max(1.0)
}

/// The mean over all jobs; 0 if there are none.
#[must_use]
pub fn mean_bounded_slowdown(rows: &[JobRow], threshold: i64) -> f64 {
    mean(rows.iter().map(|row| bounded_slowdown(row, threshold)))
}

/// Mean time from submission to start, in seconds; 0 if there are no jobs.
#[must_use]
pub fn mean_wait(rows: &[JobRow]) -> f64 {
    mean(rows.iter().map(|row| row.wait() as f64))
}

/// Mean time from submission to end, in seconds; 0 if there are no jobs.
#[must_use]
pub fn mean_response(rows: &[JobRow]) -> f64 {
    mean(rows.iter().map(|row| (row.end - row.submit) as f64))
}

/// Time from the first submission to the last end, in seconds.
#[must_use]
pub fn makespan(rows: &[JobRow]) -> i64 {
    let first = rows.iter().map(|row| row.submit).min().unwrap_or(0);
    let last = rows.iter().map(|row| row.end).max().unwrap_or(0);
    last - first
}

/// Processor seconds that were used, as a share of those there were from the first submission to
/// the last end; 0 if there is no such time.
#[must_use]
pub fn utilization(rows: &[JobRow], processors: u32) -> f64 {
    let used: i128 =
        rows.iter().map(|row| i128::from(row.run()) * i128::from(row.processors)).sum();
    let there = i128::from(makespan(rows)) * i128::from(processors);
    if there == 0 { 0.0 } else { used as f64 / there as f64 }
}

/// The value below which a share of the values lies, the nearest of them; 0 if there are none.
#[must_use]
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let at = (share.clamp(0.0, 1.0) * last as f64).round() as usize;
    sorted.get(at).copied().unwrap_or(0.0)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0_u64);
    for value in values {
        sum += value;
        count += 1;
    }
    if count == 0 { 0.0 } else { sum / count as f64 }
}
